/** A slow sink bounds what is in flight, in bytes, whatever lies between. */
import { Transform } from 'node:stream';
import { describe, expect, it } from 'vitest';
import type { Batch } from '../../../src/core/batch.ts';
import type { Source } from '../../../src/core/stage.ts';
import { filter, map, tap } from '../../../src/stages.ts';
import { SourceStream } from '../../../src/streams/source-stream.ts';
import { linesBatch, runStages, sinkStream, sleep } from '../../support/stages.ts';

const EACH = 64;
const BATCHES = 60;
const payload = 'p'.repeat(1000);
const batchBytes = linesBatch(Array.from({ length: EACH }, (_, n) => ({ n, payload }))).byteLength;

/** Runs the stages and tells the most bytes that were ever between source and sink. */
async function mostInFlight(stages: NodeJS.ReadWriteStream[]): Promise<number> {
  let given = 0;
  let taken = 0;
  let most = 0;
  const source: Source = {
    name: 'counted',
    async *batches() {
      for (let b = 0; b < BATCHES; b++) {
        given += batchBytes;
        most = Math.max(most, given - taken);
        yield linesBatch(Array.from({ length: EACH }, (_, n) => ({ n, payload })));
      }
    },
  };
  const sink = sinkStream({
    name: 'slow',
    async open() {},
    async write(batch: Batch) {
      await sleep(2);
      taken += (batch.length / EACH) * batchBytes;
    },
    finish: async () => taken,
    async abort() {},
  });
  await runStages([new SourceStream(source), ...stages, sink]);
  expect(Math.round(taken)).toBe(batchBytes * BATCHES);
  return most;
}

const stranger = () =>
  new Transform({ objectMode: true, transform: (chunk, _, callback) => callback(null, chunk) });

describe('in flight with a slow sink', () => {
  it('at most 4 batches from source to sink', async () => {
    expect(await mostInFlight([])).toBeLessThanOrEqual(4 * batchBytes);
  });

  it('at most 4 more per stage of ours', async () => {
    const stages = [filter(() => true), map((d) => d), tap(() => {})];
    expect(await mostInFlight(stages)).toBeLessThanOrEqual(16 * batchBytes);
  });

  it('in documents: what the gathering may hold, and the batch at hand', async () => {
    // One thousand being written, one thousand gathered, 256 buffered, and the stranger's own.
    const documents = 1000 + 1000 + 256 + 2 * 16;
    const bound = (documents / EACH + 3) * batchBytes;
    expect(bound).toBeLessThan(BATCHES * batchBytes);
    expect(await mostInFlight([stranger()])).toBeLessThanOrEqual(bound);
  });
});
