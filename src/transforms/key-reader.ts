/**
 * Reads the values at some paths of every document of a batch, for transforms and sinks that group,
 * compare or look up by them. The kernel cuts them out; no objects are made.
 *
 * Paths lead through objects only: behind an array there is nothing.
 */
import { type Batch, LineRecord, RECORD_WORDS } from '../core/batch.ts';
import { type Path, type PathInput, parsePath } from '../core/path.ts';
import type { OnReject } from '../core/reject.ts';
import { sharedKernel } from '../kernels/index.ts';
import { decodeText } from '../kernels/twin/text.ts';
import type { Selector } from '../kernels/types.ts';
import { findMember, OPEN_BRACE, QUOTE, type Span, stringText } from './members.ts';
import { rejectBad } from './reject-document.ts';

/** A value as it is written. */
export interface RawValue extends Span {
  readonly bytes: Uint8Array;
}

export class KeyReader {
  readonly #paths: readonly { path: Path; names: readonly Uint8Array[] }[];
  readonly #select: readonly Path[];
  #selector: Selector | undefined;

  constructor(paths: readonly Path[]) {
    const encoder = new TextEncoder();
    this.#select = paths;
    this.#paths = paths.map((path) => ({ path, names: path.map((step) => encoder.encode(step)) }));
  }

  /**
   * Calls `visit` for each document in order with its ordinal in the batch and the value at each
   * path; undefined where there is none. Documents that the kernel cannot look into are rejected.
   */
  read(
    batch: Batch,
    onReject: OnReject | undefined,
    visit: (index: number, values: readonly (RawValue | undefined)[]) => void,
  ): void {
    this.#selector ??= sharedKernel().selector({ select: this.#select });
    const { bytes, records, count, bad } = this.#selector.project(batch.bytes());
    rejectBad(batch, bad, onReject);
    for (let i = 0; i < count; i++) {
      const start = records[i * RECORD_WORDS]!;
      const values = this.#paths.map(({ path, names }) => findAt(bytes, start, path, names));
      visit(records[i * RECORD_WORDS + LineRecord.line]!, values);
    }
  }
}

/**
 * Text that is the same for values that are equal: of strings however they are escaped, of numbers
 * however they are written. Values of different types never meet. Arrays and objects are compared as
 * they are written.
 */
export function identityOf({ bytes, start, end }: RawValue): string {
  const first = bytes[start]!;
  if (first === QUOTE) return `"${stringText(bytes, start, end)}`;
  const text = decodeText(bytes, start, end);
  return isNumberStart(first) ? canonicalNumber(text) : text;
}

/** Paths given as one or as several. */
export function pathsOf(input: string | readonly PathInput[]): readonly Path[] {
  return typeof input === 'string' ? [parsePath(input)] : input.map(parsePath);
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

/** True for what a number begins with. */
export function isNumberStart(byte: number): boolean {
  return byte === 0x2d || (byte >= 0x30 && byte <= 0x39);
}

/** One text for all ways to write a number, as far as that loses no digit. */
function canonicalNumber(text: string): string {
  if (/^-?\d{1,15}$/.test(text)) return text === '-0' ? '0' : text;
  if (/^-?\d+$/.test(text)) return text;
  const value = Number(text);
  const digits = text.replace(/[eE].*|[-.]/g, '').replace(/^0+/, '');
  return Number.isFinite(value) && digits.length <= 15 ? String(value + 0) : text;
}

function findAt(
  bytes: Uint8Array,
  start: number,
  path: Path,
  names: readonly Uint8Array[],
): RawValue | undefined {
  let at = start;
  for (let depth = 0; bytes[at] === OPEN_BRACE; depth++) {
    const found = findMember(bytes, at, path[depth]!, names[depth]!);
    if (!found) return undefined;
    if (depth === path.length - 1) return { bytes, ...found };
    at = found.start;
  }
  return undefined;
}
