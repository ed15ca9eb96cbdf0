/**
 * A run that can be stopped, killed and run again: it goes on where it was committed last, keeps bad
 * records apart, and accounts for every one.
 *
 *     node runs.mjs SAMPLES.jsonl STORE DEADLETTER.jsonl
 */
import { jsonlSource, map, run, zdsSink } from 'zds-stream';

const [input, store, deadLetter] = process.argv.slice(2);

const handle = run({
  name: 'samples',
  source: jsonlSource(input),
  transforms: [map((sample) => ({ ...sample, words: sample.text.split(' ').length }))],
  sink: zdsSink(store, 'samples', { generateIds: true }),
  resume: true,
  onError: { deadLetter },
  maxErrors: '1%',
  signals: true,
});
handle.on('progress', ({ read }) => console.error(`${read} read`));
const { outcome, read, written, rejected, resumed } = await handle;
console.log(JSON.stringify({ outcome, read, written, rejected, resumed }));
