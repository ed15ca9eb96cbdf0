/** A document for each element of an array, on bytes: all else stays as it was written. */
import type { Batch } from '../core/batch.ts';
import { checkChoice } from '../core/check-option.ts';
import { formatPath, type PathInput, parsePath } from '../core/path.ts';
import type { OnReject } from '../core/reject.ts';
import type { Transform } from '../core/stage.ts';
import { LineBuilder } from './line-editor.ts';
import { eachElement, findMember, OPEN_BRACE, OPEN_BRACKET, QUOTE, type Span } from './members.ts';
import { Refusal, tryDocument } from './reject-document.ts';

export interface UnnestOptions {
  /**
   * What becomes of documents whose array is empty, null or missing: they are left out, or go on as
   * they are. Default 'drop'.
   */
  readonly empty?: 'drop' | 'keep';
  /**
   * The documents made of one have one `_id`, so that a store would keep only the last of them.
   * 'number' puts `-` and the element's number behind it, from 0; 'keep' leaves it. Default 'number'.
   */
  readonly ids?: 'number' | 'keep';
}

/** What is made goes on when it has as many bytes. */
const BATCH_BYTES = 1 << 20;

/**
 * Each element takes the array's place. A value that is no array counts as its own only element.
 * Rejects: INVALID_DOCUMENT where the path leads through an array: unnest that one first.
 */
export function unnestTransform(path: PathInput, options: UnnestOptions = {}): Transform {
  const { empty = 'drop', ids = 'number' } = options;
  checkChoice('empty', empty, ['drop', 'keep']);
  checkChoice('ids', ids, ['number', 'keep']);
  const steps = parsePath(path);
  const names = steps.map((step) => new TextEncoder().encode(step));

  /** The value at the path; undefined where there is none. */
  const find = (bytes: Uint8Array, start: number): Span | undefined => {
    let at = start;
    for (const [depth, step] of steps.entries()) {
      if (bytes[at] === OPEN_BRACKET) {
        throw new Refusal(`unnest: ${formatPath(steps)} leads through an array`);
      }
      if (bytes[at] !== OPEN_BRACE) return undefined;
      const found = findMember(bytes, at, step, names[depth]!);
      if (!found || depth === steps.length - 1) return found;
      at = found.start;
    }
    return undefined;
  };

  function* expand(batch: Batch, onReject: OnReject | undefined): Generator<Batch, void, void> {
    const { bytes } = batch.denseLines();
    let out = new LineBuilder(bytes.length);
    for (let i = 0; i < batch.length; i++) {
      const line = batch.span(i);
      const array = tryDocument(batch, i, onReject, () => find(bytes, line.start) ?? null);
      if (array === undefined) continue;
      const isArray = array !== null && bytes[array.start] === OPEN_BRACKET;
      const elements = array ? elementsAt(bytes, array) : [];
      if (elements.length === 0 && empty === 'keep') {
        out.writer.copy(bytes, line.start, line.end);
        out.endLine(i);
      }
      const id = isArray && ids === 'number' ? numberedId(bytes, line.start, array) : undefined;
      for (const [number, element] of elements.entries()) {
        const write = new Splice(out, bytes, line.start);
        if (id && id.start < array!.start) write.id(id, number);
        write.copyTo(array!.start);
        out.writer.copy(bytes, element.start, element.end);
        write.skipTo(array!.end);
        if (id && id.start > array!.start) write.id(id, number);
        write.copyTo(line.end);
        out.endLine(i);
        if (out.byteLength < BATCH_BYTES) continue;
        yield batch.deriveLines(out.lines()).withCursor(undefined);
        out = new LineBuilder(BATCH_BYTES);
      }
    }
    if (out.count > 0) yield batch.deriveLines(out.lines());
  }

  return { name: 'unnest', apply: (batch, _signal, onReject) => expand(batch, onReject) };
}

function elementsAt(bytes: Uint8Array, { start, end }: Span): Span[] {
  if (bytes[start] !== OPEN_BRACKET) return bytes[start] === 0x6e ? [] : [{ start, end }];
  const elements: Span[] = [];
  eachElement(bytes, start, (from, to) => elements.push({ start: from, end: to }));
  return elements;
}

/** The `_id` if it is text or a number, and not what is unnested. */
function numberedId(bytes: Uint8Array, at: number, array: Span): Span | undefined {
  const id = findMember(bytes, at, '_id', ID);
  if (!id || (id.start <= array.start && array.start < id.end)) return undefined;
  const first = bytes[id.start]!;
  return first === QUOTE || first === 0x2d || (first >= 0x30 && first <= 0x39) ? id : undefined;
}

/** Copies one line, with replacements on the way. */
class Splice {
  readonly #out: LineBuilder;
  readonly #bytes: Uint8Array;
  #at: number;

  constructor(out: LineBuilder, bytes: Uint8Array, at: number) {
    this.#out = out;
    this.#bytes = bytes;
    this.#at = at;
  }

  copyTo(end: number): void {
    this.#out.writer.copy(this.#bytes, this.#at, end);
    this.#at = end;
  }

  skipTo(at: number): void {
    this.#at = at;
  }

  /** The id as text, `-` and the number behind it. */
  id({ start, end }: Span, number: number): void {
    const isText = this.#bytes[start] === QUOTE;
    this.copyTo(start);
    if (!isText) this.#out.writer.byte(QUOTE);
    this.copyTo(isText ? end - 1 : end);
    this.#out.writer.copy(encoder.encode(`-${number}"`));
    this.skipTo(end);
  }
}

const encoder = new TextEncoder();
const ID = encoder.encode('_id');
