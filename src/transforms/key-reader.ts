/**
 * Reads the values at some paths of every document of a batch, for transforms and sinks that group,
 * compare or look up by them. The kernel finds them; no objects are made.
 *
 * Paths lead through objects only: behind an array there is nothing.
 */
import type { Batch } from '../core/batch.ts';
import { type Path, type PathInput, parsePath } from '../core/path.ts';
import type { OnReject } from '../core/reject.ts';
import { sharedKernel } from '../kernels/index.ts';
import { decodeText } from '../kernels/twin/text.ts';
import type { Locator } from '../kernels/types.ts';
import { OPEN_BRACE, QUOTE, stringText } from './members.ts';
import { isNumberStart, RawValue } from './raw-value.ts';
import { rejectBad } from './reject-document.ts';

export class KeyReader {
  readonly #locator: Locator;
  /** One for each path, moved from document to document. */
  readonly #values: readonly RawValue[];

  constructor(paths: readonly Path[]) {
    this.#locator = sharedKernel().locator(paths);
    this.#values = paths.map(() => new RawValue(new Uint8Array(0)));
  }

  /**
   * Calls `visit` for each document in order with its ordinal in the batch and the value at each
   * path, good until `visit` returns; undefined where there is none. Documents that the kernel cannot
   * look into are rejected.
   */
  read(
    batch: Batch,
    onReject: OnReject | undefined,
    visit: (index: number, values: readonly (RawValue | undefined)[]) => void,
  ): void {
    const bytes = batch.bytes();
    const { places, count, bad } = this.#locator.locate(bytes);
    rejectBad(batch, bad, onReject);
    const values = this.#values;
    const found: (RawValue | undefined)[] = values.slice();
    let at = 0;
    let index = 0;
    let nextBad = 0;
    for (let row = 0; row < count; row++, index++) {
      for (; bad[nextBad]?.line === index; nextBad++) index++;
      for (let i = 0; i < values.length; i++, at += 2) {
        const end = places[at + 1]!;
        if (end > 0) values[i]!.moveTo(bytes, places[at]!, end);
        found[i] = end > 0 ? values[i] : undefined;
      }
      visit(index, found);
    }
  }
}

/** A lone half of a surrogate pair: only escapes write one, and UTF-8 has no bytes for it. */
const LONE = /\p{Surrogate}/u;

/**
 * Text that is the same for values that are equal, and in UTF-8 for no others: of strings however they
 * are escaped, of numbers however they are written. Values of different types never meet. Arrays and
 * objects are compared as they are written.
 */
export function identityOf({ bytes, start, end }: RawValue): string {
  const first = bytes[start]!;
  if (first === QUOTE) {
    const text = stringText(bytes, start, end);
    const isPlain = text.length === end - start - 2 || !LONE.test(text);
    return isPlain ? `"${text}` : `'${JSON.stringify(text)}`;
  }
  const text = decodeText(bytes, start, end);
  return isNumberStart(first) ? canonicalNumber(text) : text;
}

/** Paths given as one or as several. Errors: INVALID_ARGUMENT for what is neither. */
export function pathsOf(input: string | readonly PathInput[]): readonly Path[] {
  return Array.isArray(input) ? input.map(parsePath) : [parsePath(input as string)];
}

/** One text for the values together; undefined where there is none of them. */
export function keyOf(values: readonly (RawValue | undefined)[]): string | undefined {
  if (values.length === 1) return values[0] && identityOf(values[0]);
  if (values.every((value) => value === undefined)) return undefined;
  return JSON.stringify(values.map((value) => value && identityOf(value)));
}

/** A scalar as text: strings as they are, the others as JSON; undefined for objects and arrays. */
export function scalarText({ bytes, start, end }: RawValue): string | undefined {
  const first = bytes[start]!;
  if (first === QUOTE) return stringText(bytes, start, end);
  if (first === OPEN_BRACE || first === 0x5b) return undefined;
  const text = decodeText(bytes, start, end);
  return isNumberStart(first) ? canonicalNumber(text) : text;
}

/** One text for all ways to write a number, as far as that loses no digit. */
function canonicalNumber(text: string): string {
  if (/^-?\d{1,15}$/.test(text)) return text === '-0' ? '0' : text;
  if (/^-?\d+$/.test(text)) return text;
  const value = Number(text);
  const digits = text.replace(/[eE].*|[-.]/g, '').replace(/^0+/, '');
  return Number.isFinite(value) && digits.length <= 15 ? String(value + 0) : text;
}
