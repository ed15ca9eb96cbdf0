/** What every sink of the package does, whatever it writes. Each sink's test runs this. */
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { describe, expect, it } from 'vitest';
import type { Document } from '../../src/core/batch.ts';
import type { SinkStream } from '../../src/streams/sink-stream.ts';
import { linesBatch, openDescriptors, probeStream, sleep } from '../support/stages.ts';

export interface SinkCase {
  readonly open: (options: { signal?: AbortSignal }) => SinkStream<unknown>;
  /** What the sink has made durable, read back; undefined while there is nothing. */
  readonly readBack: () => Promise<readonly Document[] | undefined>;
  /** Waits for what others close, not the sink: the far end of a connection. */
  readonly settled?: () => Promise<void>;
}

/** `make` gives a fresh place to write to; documents `{ _id, n }` must be welcome there. */
export function testSinkContract(name: string, make: () => SinkCase): void {
  const documents = Array.from({ length: 2500 }, (_, n) => ({ _id: `d${n}`, n }));

  describe(`${name} as a sink`, () => {
    it.each([
      ['documents', () => documents],
      ['batches', () => [linesBatch(documents.slice(0, 1200)), linesBatch(documents.slice(1200))]],
      ['both', () => [...documents.slice(0, 7), linesBatch(documents.slice(7))]],
    ])('has all it was given when it has finished: %s', async (_, chunks) => {
      const { open, readBack, settled } = make();
      const before = openDescriptors();
      const sink = open({});
      await pipeline(Readable.from(chunks()), sink);
      expect(await readBack()).toEqual(documents);
      expect(await sink.summary).toBeDefined();
      await settled?.();
      expect(openDescriptors()).toBe(before);
    });

    it('keeps the first cause, and lets go of everything', async () => {
      const { open, settled } = make();
      const before = openDescriptors();
      const error = new Error('first');
      const sink = open({});
      await expect(pipeline(probeStream(3, 5, { error }), sink)).rejects.toBe(error);
      await expect(sink.summary).rejects.toBe(error);
      await sleep(1);
      await settled?.();
      expect(openDescriptors()).toBe(before);
    });

    it('stops with ABORTED and the reason', async () => {
      const { open } = make();
      const reason = new Error('reason');
      const controller = new AbortController();
      const sink = open({ signal: controller.signal });
      setTimeout(() => controller.abort(reason), 5);
      const running = pipeline(probeStream(1000, 1, { delayMs: 1 }), sink);
      await expect(running).rejects.toMatchObject({ code: 'ABORTED', cause: reason });
    });

    it('refuses what is no document', async () => {
      const { open } = make();
      const running = pipeline(Readable.from([documents[0], 'text']), open({}));
      await expect(running).rejects.toMatchObject({
        code: 'INVALID_DOCUMENT',
        place: { ordinal: 1 },
      });
    });
  });
}
