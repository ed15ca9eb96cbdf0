/**
 * Reads one JSON text and leaves a tape: for every value and key its kind, its span in the bytes and
 * the place of what follows it. Accepts exactly what `JSON.parse` accepts on the decoded text, and
 * otherwise says at which byte no JSON document can go on, and why.
 *
 * Tape: node 0 is the document. A container's parts follow it: elements of an array, key and value
 * by turns in an object. `next[node]` is the node after all of its parts, so the members of `node`
 * are walked by `for (key = node + 1; key < next[node]; key = next[key + 1])`.
 *
 * The tape belongs to its scanner and holds until the next scan. The bytes are only read. One scan
 * is linear in the text; the stack is an array, so depth costs no call stack.
 */
import { Reason } from '../reasons.ts';

/** What a node is. */
export const Kind = {
  null: 1,
  false: 2,
  true: 3,
  /** A number without fraction and exponent. */
  integer: 4,
  /** A number with a fraction or an exponent. */
  decimal: 5,
  /** A string without escapes. */
  plain: 6,
  /** A string with escapes. */
  escaped: 7,
  array: 8,
  object: 9,
} as const;

const State = {
  value: 0,
  /** A value or `]`. */
  firstElement: 1,
  /** A comma or `]`. */
  afterElement: 2,
  /** A key or `}`. */
  firstKey: 3,
  key: 4,
  /** A comma or `}`. */
  afterMember: 5,
  end: 6,
} as const;

const TRUE = literalBytes('true');
const FALSE = literalBytes('false');
const NULL = literalBytes('null');

export class Scanner {
  /** The bytes last scanned. */
  bytes: Uint8Array = new Uint8Array(0);
  kind: Uint8Array = new Uint8Array(64);
  /** First byte of the node's text, quotes included. */
  start: Uint32Array = new Uint32Array(64);
  /** One past the last byte of the node's text, quotes included. */
  end: Uint32Array = new Uint32Array(64);
  next: Uint32Array = new Uint32Array(64);
  /** Nodes on the tape. */
  count = 0;
  /** After a failed scan: the byte at which nothing valid can go on. */
  faultOffset = 0;
  /** After a failed scan: a number of `Reason`. */
  faultReason: number = Reason.none;

  #parents = new Uint32Array(64);
  #to = 0;

  /** Scans the bytes [from, to); true when they are one JSON value, perhaps with space around. */
  scan(bytes: Uint8Array, from: number, to: number, maxDepth: number): boolean {
    this.bytes = bytes;
    this.count = 0;
    this.#to = to;
    let at = from;
    let depth = 0;
    let state: number = State.value;
    for (;;) {
      while (at < to && isSpace(bytes[at]!)) at++;
      if (at === to) return state === State.end || this.#fail(to, Reason.unexpectedEnd);
      const byte = bytes[at]!;

      if (state === State.afterMember || state === State.afterElement) {
        const inObject = state === State.afterMember;
        if (byte === 0x2c) {
          state = inObject ? State.key : State.value;
          at++;
          continue;
        }
        if (byte !== (inObject ? 0x7d : 0x5d)) {
          const reason = inObject ? Reason.expectedCommaOrBrace : Reason.expectedCommaOrBracket;
          return this.#fail(at, reason);
        }
        at++;
      } else if (state === State.firstKey && byte === 0x7d) at++;
      else if (state === State.firstElement && byte === 0x5d) at++;
      else if (state === State.firstKey || state === State.key) {
        if (byte !== 0x22) return this.#fail(at, Reason.expectedKey);
        at = this.#string(at);
        if (at < 0) return false;
        while (at < to && isSpace(bytes[at]!)) at++;
        if (at === to) return this.#fail(to, Reason.unexpectedEnd);
        if (bytes[at] !== 0x3a) return this.#fail(at, Reason.expectedColon);
        at++;
        state = State.value;
        continue;
      } else if (state === State.end) return this.#fail(at, Reason.trailingCharacters);
      else if (byte === 0x7b || byte === 0x5b) {
        if (depth === maxDepth) return this.#fail(at, Reason.tooDeep);
        if (depth === this.#parents.length) this.#parents = grown(this.#parents);
        this.#parents[depth++] = this.count;
        this.#push(byte === 0x7b ? Kind.object : Kind.array, at, 0);
        state = byte === 0x7b ? State.firstKey : State.firstElement;
        at++;
        continue;
      } else {
        at = this.#scalar(at, byte);
        if (at < 0) return false;
        state = this.#stateAfterValue(depth);
        continue;
      }

      const closed = this.#parents[--depth]!;
      this.end[closed] = at;
      this.next[closed] = this.count;
      state = this.#stateAfterValue(depth);
    }
  }

  #stateAfterValue(depth: number): number {
    if (depth === 0) return State.end;
    const inObject = this.kind[this.#parents[depth - 1]!] === Kind.object;
    return inObject ? State.afterMember : State.afterElement;
  }

  /** The place after the scalar at `at`, or -1 after a fault. */
  #scalar(at: number, byte: number): number {
    if (byte === 0x22) return this.#string(at);
    if (byte === 0x2d || isDigit(byte)) return this.#number(at);
    if (byte === 0x74) return this.#literal(at, TRUE, Kind.true);
    if (byte === 0x66) return this.#literal(at, FALSE, Kind.false);
    if (byte === 0x6e) return this.#literal(at, NULL, Kind.null);
    this.#fail(at, Reason.expectedValue);
    return -1;
  }

  #literal(start: number, literal: Uint8Array, kind: number): number {
    for (let i = 1; i < literal.length; i++) {
      if (start + i === this.#to) return this.#stop(this.#to, Reason.unexpectedEnd);
      if (this.bytes[start + i] !== literal[i]) return this.#stop(start + i, Reason.expectedValue);
    }
    this.#push(kind, start, start + literal.length);
    return start + literal.length;
  }

  #number(start: number): number {
    const { bytes } = this;
    let at = start;
    let kind: number = Kind.integer;
    if (bytes[at] === 0x2d) at++;
    if (at < this.#to && bytes[at] === 0x30) {
      at++;
      if (at < this.#to && isDigit(bytes[at]!)) return this.#stop(at, Reason.badNumber);
    } else {
      at = this.#digits(at);
      if (at < 0) return -1;
    }
    if (at < this.#to && bytes[at] === 0x2e) {
      kind = Kind.decimal;
      at = this.#digits(at + 1);
      if (at < 0) return -1;
    }
    if (at < this.#to && (bytes[at]! | 0x20) === 0x65) {
      kind = Kind.decimal;
      at++;
      if (at < this.#to && (bytes[at] === 0x2b || bytes[at] === 0x2d)) at++;
      at = this.#digits(at);
      if (at < 0) return -1;
    }
    this.#push(kind, start, at);
    return at;
  }

  /** The place after one or more digits, or -1 after a fault. */
  #digits(at: number): number {
    const to = this.#to;
    if (at === to) return this.#stop(to, Reason.unexpectedEnd);
    if (!isDigit(this.bytes[at]!)) return this.#stop(at, Reason.badNumber);
    while (at < to && isDigit(this.bytes[at]!)) at++;
    return at;
  }

  /** The place after the string whose opening quote is at `start`, or -1 after a fault. */
  #string(start: number): number {
    const { bytes } = this;
    const to = this.#to;
    let kind: number = Kind.plain;
    let at = start + 1;
    while (at < to) {
      const byte = bytes[at]!;
      if (byte === 0x22) {
        this.#push(kind, start, at + 1);
        return at + 1;
      }
      if (byte === 0x5c) {
        kind = Kind.escaped;
        at = this.#escape(at + 1);
        if (at < 0) return -1;
      } else if (byte < 0x20) return this.#stop(at, Reason.controlCharacter);
      else if (byte < 0x80) at++;
      else {
        const length = sequenceLength(bytes, at, to);
        if (length === 0) return this.#stop(at, Reason.illFormedUtf8);
        at += length;
      }
    }
    return this.#stop(to, Reason.unexpectedEnd);
  }

  /** The place after an escape whose backslash stands before `at`, or -1 after a fault. */
  #escape(at: number): number {
    const to = this.#to;
    if (at === to) return this.#stop(to, Reason.unexpectedEnd);
    const byte = this.bytes[at]!;
    if (byte !== 0x75) return isShortEscape(byte) ? at + 1 : this.#stop(at, Reason.badEscape);
    for (let i = 1; i <= 4; i++) {
      if (at + i === to) return this.#stop(to, Reason.unexpectedEnd);
      if (!isHex(this.bytes[at + i]!)) return this.#stop(at + i, Reason.badEscape);
    }
    return at + 5;
  }

  #push(kind: number, start: number, end: number): void {
    const node = this.count++;
    if (node === this.start.length) {
      this.kind = grown(this.kind);
      this.start = grown(this.start);
      this.end = grown(this.end);
      this.next = grown(this.next);
    }
    this.kind[node] = kind;
    this.start[node] = start;
    this.end[node] = end;
    this.next[node] = node + 1;
  }

  #stop(at: number, reason: number): number {
    this.#fail(at, reason);
    return -1;
  }

  #fail(at: number, reason: number): false {
    const { bytes } = this;
    const illFormed =
      at < this.#to && bytes[at]! >= 0x80 && sequenceLength(bytes, at, this.#to) === 0;
    this.faultOffset = at;
    this.faultReason = illFormed ? Reason.illFormedUtf8 : reason;
    return false;
  }
}

/** Bytes of the well-formed UTF-8 sequence at a non-ASCII byte, or 0 (WHATWG Encoding, UTF-8 decoder). */
function sequenceLength(bytes: Uint8Array, at: number, to: number): number {
  const lead = bytes[at]!;
  const length = lead < 0xc2 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf5 ? 4 : 0;
  if (length === 0 || at + length > to) return 0;
  const second = bytes[at + 1]!;
  const low = lead === 0xe0 ? 0xa0 : lead === 0xf0 ? 0x90 : 0x80;
  const high = lead === 0xed ? 0x9f : lead === 0xf4 ? 0x8f : 0xbf;
  if (second < low || second > high) return 0;
  for (let i = 2; i < length; i++) if ((bytes[at + i]! & 0xc0) !== 0x80) return 0;
  return length;
}

function isSpace(byte: number): boolean {
  return byte === 0x20 || byte === 0x09 || byte === 0x0d || byte === 0x0a;
}

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39;
}

function isHex(byte: number): boolean {
  const lower = byte | 0x20;
  return isDigit(byte) || (lower >= 0x61 && lower <= 0x66);
}

/** `"`, `\`, `/`, b, f, n, r, t. */
function isShortEscape(byte: number): boolean {
  return (
    byte === 0x22 ||
    byte === 0x5c ||
    byte === 0x2f ||
    byte === 0x62 ||
    byte === 0x66 ||
    byte === 0x6e ||
    byte === 0x72 ||
    byte === 0x74
  );
}

function literalBytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function grown<T extends Uint8Array | Uint32Array>(array: T): T {
  const larger = new (array.constructor as new (length: number) => T)(array.length * 2);
  larger.set(array);
  return larger;
}
