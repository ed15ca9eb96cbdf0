/** Chunks of foreign streams, which may be bytes or text, as bytes. */
import { EtlError, type Place } from '../core/errors.ts';
import { iterate } from '../core/iterate.ts';

const encoder = new TextEncoder();
const LONE = /\p{Surrogate}/u;

/**
 * Bytes as they come, texts in UTF-8; a text may end between the halves of a surrogate pair. Ends a
 * stream as `iterate` does. Errors: INVALID_UTF8 for a half without the other, INVALID_ARGUMENT for
 * what is neither bytes nor text, the stream's own, unchanged.
 */
export function encodeTexts(
  stream: AsyncIterable<unknown> | Iterable<unknown>,
  place: Place,
): AsyncIterable<Uint8Array> {
  const steps = iterate(stream);
  /** The first half of a pair whose second half is in the next text. */
  let half = '';
  const encode = (text: string): Uint8Array => {
    const whole = half + text;
    const last = whole.charCodeAt(whole.length - 1);
    half = last >= 0xd800 && last <= 0xdbff ? whole.slice(-1) : '';
    return encodeWhole(half === '' ? whole : whole.slice(0, -1));
  };
  const encodeWhole = (text: string): Uint8Array => {
    if (!LONE.test(text)) return encoder.encode(text);
    throw new EtlError('INVALID_UTF8', 'the text has half of a surrogate pair', { place });
  };
  const iterator: AsyncIterator<Uint8Array> = {
    async next() {
      const { done, value } = await steps.next();
      if (!done && typeof value === 'string') return { value: encode(value) };
      encodeWhole(half);
      if (done) return { done, value: undefined };
      if (value instanceof Uint8Array) return { value };
      throw new EtlError('INVALID_ARGUMENT', `expected bytes, found ${typeof value}`, { place });
    },
    async return() {
      await steps.return?.();
      return { done: true, value: undefined };
    },
  };
  return { [Symbol.asyncIterator]: () => iterator };
}
