/**
 * A source of one's own: a name, and batches that begin behind a cursor it gave earlier. The suite
 * that the package exports says whether it keeps to the contract; any test runner can run it.
 */
import { pipeline } from 'node:stream/promises';
import { Batch, jsonlSink, SourceStream } from 'zds-stream';
import { sharedKernel } from 'zds-stream/kernels';
import { sourceContract } from 'zds-stream/testing';

const squares = (count) => ({
  name: 'squares',
  async *batches(signal, _wants, from = 0) {
    for (let first = from; first < count; first += 100) {
      signal.throwIfAborted();
      const end = Math.min(first + 100, count);
      const documents = [];
      for (let n = first; n < end; n++) documents.push({ n, square: n * n });
      yield Batch.fromDocuments(documents, sharedKernel().codec, { ordinal: first }, end);
    }
  },
});

await pipeline(new SourceStream(squares(3)), jsonlSink('-'));

const documents = Array.from({ length: 250 }, (_, n) => ({ n, square: n * n }));
for (const { name, run } of sourceContract({ open: () => squares(250), documents })) {
  await run();
  console.log(`ok: ${name}`);
}
