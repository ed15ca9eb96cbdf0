/** What every source of the package does, whatever it reads. Each source's test runs this. */
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { describe, expect, it } from 'vitest';
import type { Document } from '../../src/core/batch.ts';
import type { SourceStream } from '../../src/streams/source-stream.ts';
import { openDescriptors, probeSink, sinkStream, sleep } from '../support/stages.ts';

export interface SourceCase {
  /** A fresh stream over the same documents. */
  readonly open: (options: { signal?: AbortSignal }) => SourceStream;
  /** At least two. */
  readonly documents: readonly Document[];
}

export function testSourceContract(name: string, make: () => SourceCase): void {
  describe(`${name} as a source`, () => {
    it('gives the same documents in every form', async () => {
      const { open, documents } = make();
      const iterated: unknown[] = [];
      for await (const document of open({})) iterated.push(document);
      const batched: unknown[] = [];
      for await (const batch of open({}).batches()) batched.push(...batch.documents());
      const web: unknown[] = [];
      for await (const document of open({}).toWeb()) web.push(document);
      const piped = probeSink();
      await pipeline(open({}), sinkStream(piped));
      const foreign = probeSink();
      const stranger = new Transform({
        objectMode: true,
        transform: (chunk, _, callback) => callback(null, chunk),
      });
      await pipeline(open({}), stranger, sinkStream(foreign));
      for (const got of [iterated, batched, web, piped.documents, foreign.documents]) {
        expect(got).toEqual(documents);
      }
    });

    it('closes all it has opened, wherever it is left', async () => {
      const { open } = make();
      const before = openDescriptors();
      for await (const _ of open({})) break;
      for await (const _ of open({}).batches()) break;
      const stream = open({});
      stream.on('data', () => {});
      await sleep(2);
      await stream[Symbol.asyncDispose]();
      await open({})[Symbol.asyncDispose]();
      expect(openDescriptors()).toBe(before);
    });

    it('stops with ABORTED and the reason', async () => {
      const { open } = make();
      const reason = new Error('reason');
      const reading = async () => {
        for await (const _ of open({ signal: AbortSignal.abort(reason) }));
      };
      await expect(reading()).rejects.toMatchObject({ code: 'ABORTED', cause: reason });
    });

    it('gives cursors or none, and places with ordinals', async () => {
      const { open, documents } = make();
      let ordinal = 0;
      for await (const batch of open({}).batches()) {
        for (let i = 0; i < batch.length; i++) {
          const known = batch.place(i).ordinal;
          if (known !== undefined) expect(known).toBe(ordinal);
          ordinal++;
        }
      }
      expect(ordinal).toBe(documents.length);
    });
  });
}
