/** What the tests of `httpSource` send and read. */
import type { RetryOptions } from '../../src/core/retry.ts';
import {
  type HttpRequestInput,
  type HttpSourceOptions,
  httpSource,
} from '../../src/sources/http-source.ts';

export const retry: RetryOptions = { baseDelayMs: 1, retries: 3 };
/** Documents `{ n, pad }`. */
export const lines = (from: number, to: number): Buffer => {
  let text = '';
  for (let n = from; n < to; n++) text += `{"n":${n},"pad":"${'x'.repeat(80)}"}\n`;
  return Buffer.from(text);
};
export const upTo = (count: number): number[] => Array.from({ length: count }, (_, n) => n);

/** What is read until the end or an error. */
export async function read(
  requests: HttpRequestInput | HttpRequestInput[],
  options: HttpSourceOptions = {},
): Promise<{ seen: number[]; error: unknown }> {
  const seen: number[] = [];
  let error: unknown;
  try {
    for await (const document of httpSource<{ n: number }>(requests, { retry, ...options })) {
      seen.push(document.n);
    }
  } catch (thrown) {
    error = thrown;
  }
  return { seen, error };
}
