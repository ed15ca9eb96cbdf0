/** Follows growing files in tests. */
import { expect } from 'vitest';
import { createTailSource, type TailSourceOptions } from '../../src/sources/tail-source.ts';
import { sleep } from './stages.ts';

/** Lines of documents numbered from one number up to another. */
export const lines = (from: number, to: number): string => {
  let text = '';
  for (let n = from; n < to; n++) text += `{"n":${n}}\n`;
  return text;
};

/** Numbers from `from` on, below `count`. */
export const upTo = (count: number, from = 0): number[] =>
  Array.from({ length: count - from }, (_, n) => n + from);

export interface Following {
  /** The numbers that have come. */
  readonly seen: number[];
  /** Resolves at its end, with the error if there was one. */
  readonly ended: Promise<unknown>;
  /** Waits for exactly so many documents. */
  until(count: number): Promise<void>;
  /** Ends it and answers the last cursor. */
  stop(): Promise<unknown>;
}

/** Follows in the background. */
export function follow(
  paths: string | readonly string[],
  options: TailSourceOptions = {},
  from?: unknown,
): Following {
  const controller = new AbortController();
  const seen: number[] = [];
  let cursor: string | undefined;
  const source = createTailSource(paths, { pollMs: 5, ...options });
  const ended = (async () => {
    for await (const batch of source.batches(controller.signal, {}, from)) {
      seen.push(...batch.documents().map(({ n }) => n as number));
      cursor = JSON.stringify(batch.cursor);
    }
  })().catch((error: Error) => (controller.signal.aborted ? undefined : error));
  return {
    seen,
    ended,
    async until(count: number) {
      for (let i = 0; i < 400 && seen.length < count; i++) await sleep(5);
      await sleep(15);
      expect(seen).toHaveLength(count);
    },
    async stop() {
      controller.abort();
      expect(await ended).toBeUndefined();
      return JSON.parse(cursor!) as unknown;
    },
  };
}
