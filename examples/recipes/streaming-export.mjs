/**
 * A collection into files of any size with a few MiB of memory: the stored lines as they are, part of
 * the fields compressed, and columns for analysis. A file appears under its name only when it is whole.
 * STORE may also be a .zds archive.
 *
 *     node streaming-export.mjs STORE FOLDER
 */
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { arrowSink, gte, jsonlSink, zdsSource } from 'zds-stream';

const [store, folder] = process.argv.slice(2);

const all = jsonlSink(join(folder, 'train.jsonl'));
await pipeline(zdsSource(store, 'train'), all);

const best = { where: gte('label', 8), select: ['_id', 'label'] };
const zipped = jsonlSink(join(folder, 'best.jsonl.gz'));
await pipeline(zdsSource(store, 'train', best), zipped);

const columns = arrowSink(join(folder, 'train.arrow'));
await pipeline(zdsSource(store, 'train'), columns);

for (const sink of [all, zipped, columns]) {
  const { documents } = await sink.summary;
  console.log(`${documents} documents written`);
}
