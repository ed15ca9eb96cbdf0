/** Brings the fields of nested objects to the top, on bytes: values stay as they were written. */
import { checkLimits } from '../core/check-option.ts';
import type { Transform } from '../core/stage.ts';
import { ByteWriter, LineBuilder } from './line-editor.ts';
import {
  CLOSE_BRACE,
  COMMA,
  Members,
  OPEN_BRACE,
  QUOTE,
  skipSpace,
  stringText,
} from './members.ts';
import { Refusal, tryDocument } from './reject-document.ts';

export interface FlattenOptions {
  /** Between the names. Default `_`. */
  readonly separator?: string;
  /** Objects deeper than this stay as they are; 1 opens those at the top only. Default: all. */
  readonly maxDepth?: number;
}

/**
 * `{"a":{"b":1}}` becomes `{"a_b":1}`. Arrays, and objects without fields, stay as they are.
 * Errors: INVALID_ARGUMENT. Rejects: INVALID_DOCUMENT where two fields would have the same name.
 */
export function flattenTransform(options: FlattenOptions = {}): Transform {
  const { separator = '_', maxDepth = Number.POSITIVE_INFINITY } = options;
  checkLimits({ maxDepth });
  const between = new TextEncoder().encode(JSON.stringify(separator).slice(1, -1));
  return {
    name: 'flatten',
    apply(batch, _signal, onReject) {
      const { bytes } = batch.denseLines();
      const out = new LineBuilder(bytes.length + (bytes.length >> 1) + 64);
      const flattener = new Flattener(bytes, out.writer, between, maxDepth);
      for (let i = 0; i < batch.length; i++) {
        const { start } = batch.span(i);
        const kept = tryDocument(batch, i, onReject, () => flattener.line(start));
        if (kept) out.endLine(i);
        else out.dropLine();
      }
      return out.count === 0 ? [] : [batch.deriveLines(out.lines())];
    },
  };
}

/** Hashes of the names in a line; a power of two, at least twice the names before it grows. */
const TABLE = 1 << 8;

class Flattener {
  readonly #bytes: Uint8Array;
  readonly #out: ByteWriter;
  readonly #between: Uint8Array;
  readonly #maxDepth: number;
  /** The names on the way to where we are, written out and joined. */
  readonly #prefix = new ByteWriter(256);
  /** Which slots the line has taken: the line's number, and the name's full hash. */
  readonly #takenBy = new Uint32Array(TABLE);
  readonly #hashes = new Int32Array(TABLE);
  #line = 0;
  #names = 0;
  #suspicious = false;

  constructor(bytes: Uint8Array, out: ByteWriter, between: Uint8Array, maxDepth: number) {
    this.#bytes = bytes;
    this.#out = out;
    this.#between = between;
    this.#maxDepth = maxDepth;
  }

  /** Writes the line that begins at `start`; true. Throws a Refusal for names that meet. */
  line(start: number): true {
    this.#line++;
    this.#names = 0;
    this.#suspicious = false;
    this.#prefix.length = 0;
    const from = this.#out.length;
    this.#out.byte(OPEN_BRACE);
    this.#members(start, 0);
    this.#out.byte(CLOSE_BRACE);
    if (this.#suspicious) checkNames(this.#out.bytes, from);
    return true;
  }

  #members(at: number, depth: number): void {
    const bytes = this.#bytes;
    const members = new Members(bytes, at);
    while (members.next()) {
      const { keyStart, keyEnd, valueStart } = members;
      const before = this.#prefix.length;
      this.#prefix.copy(bytes, keyStart + 1, keyEnd - 1);
      const opens =
        depth < this.#maxDepth &&
        bytes[valueStart] === OPEN_BRACE &&
        bytes[skipSpace(bytes, valueStart + 1)] !== CLOSE_BRACE;
      if (opens) {
        this.#prefix.copy(this.#between);
        this.#members(valueStart, depth + 1);
      } else this.#write(valueStart, members.valueEnd);
      this.#prefix.length = before;
    }
  }

  #write(valueStart: number, valueEnd: number): void {
    const out = this.#out;
    const prefix = this.#prefix;
    if (this.#names++ > 0) out.byte(COMMA);
    out.byte(QUOTE);
    out.copy(prefix.bytes, 0, prefix.length);
    out.byte(QUOTE);
    out.byte(0x3a);
    out.copy(this.#bytes, valueStart, valueEnd);
    this.#suspicious ||= this.#mayBeTaken();
  }

  /** Takes the name's hash; true where the line may have the name, so that it must be looked at. */
  #mayBeTaken(): boolean {
    if (this.#names > TABLE / 2) return true;
    const { bytes, length } = this.#prefix;
    let hash = 0x811c9dc5;
    for (let i = 0; i < length; i++) {
      const byte = bytes[i]!;
      if (byte === 0x5c) return true;
      hash = Math.imul(hash ^ byte, 0x01000193);
    }
    let slot = (hash ^ (hash >>> 15)) & (TABLE - 1);
    while (this.#takenBy[slot] === this.#line) {
      if (this.#hashes[slot] === hash) return true;
      slot = (slot + 1) & (TABLE - 1);
    }
    this.#takenBy[slot] = this.#line;
    this.#hashes[slot] = hash;
    return false;
  }
}

function checkNames(bytes: Uint8Array, at: number): void {
  const names = new Set<string>();
  const members = new Members(bytes, at);
  while (members.next()) {
    const name = stringText(bytes, members.keyStart, members.keyEnd);
    if (names.has(name)) throw new Refusal(`flatten: two fields would be ${name}`);
    names.add(name);
  }
}
