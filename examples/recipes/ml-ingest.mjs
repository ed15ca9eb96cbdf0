/**
 * Labelled samples for training: every line of a JSON Lines file becomes a document with an id that
 * counts up. What is committed on the way survives a crash, and a run that comes again replaces
 * documents under the same ids instead of adding to them.
 *
 *     node ml-ingest.mjs SAMPLES.jsonl STORE
 */
import { pipeline } from 'node:stream/promises';
import { jsonlSource, map, zdsSink } from 'zds-stream';

const [input, store] = process.argv.slice(2);

let count = 0;
const toSample = ({ text, label }) => {
  const _id = `sample_${String(count++).padStart(8, '0')}`;
  if (count % 1000 === 0) console.log(`${count} samples read`);
  return { _id, text, label, split: 'train' };
};
const sink = zdsSink(store, 'train', { commitDocuments: 500 });
await pipeline(jsonlSource(input), map(toSample), sink);
const { documents, total } = await sink.summary;
console.log(`${documents} samples taken in, ${total} in the store`);
