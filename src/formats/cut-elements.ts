/**
 * Cuts a stream of JSON text into blocks of its elements, one to a line, so that line kernels can
 * read them. Follows brackets and strings only; what stands in an element is the kernel's to judge.
 *
 * Elements are the members of a top-level array, or of the array at `path` in top-level objects; a
 * top-level value (or the value at the path) that is no array is an element itself. Several
 * top-level values may follow each other, each with something at the path. Every block lies in fresh
 * memory: the elements are as they were, byte for byte at their offsets, but line ends inside them
 * have become spaces and what stands between them spaces and one line end. A block never reaches
 * over the end of an array: `level` (how many containers are open behind it) and whether an element begins or
 * has ended there is all that is needed to go on.
 *
 * What is passed over on the way to the path is not validated beyond strings and brackets. An
 * element longer than `maxLineBytes` is reported and passed over in constant memory.
 */
import { EtlError, type Place } from '../core/errors.ts';
import type { ByteReader } from '../core/stage.ts';
import type { LineBlock } from './cut-lines.ts';
import type { JsonCursor } from './json.ts';
import {
  CLOSE_ARRAY,
  CLOSE_OBJECT,
  COLON,
  COMMA,
  isSpace,
  LINE_END,
  OPEN_ARRAY,
  OPEN_OBJECT,
  QUOTE,
  SPACE,
  ValueScanner,
} from './value-scanner.ts';

/** Elements, a line each. */
export interface ElementBlock extends LineBlock {
  /** Open containers at the block's end, and between its elements. */
  readonly level: number;
  readonly inner: number;
}

export interface CutElementsOptions {
  /** Keys from a top-level object to the array. */
  readonly path: readonly string[];
  readonly maxLineBytes: number;
  /** Where the first byte stands. `level` is set when reading goes on from between two elements. */
  readonly from: Pick<JsonCursor, 'offset' | 'next'> & { readonly level?: number };
  /** Names the input in errors. */
  readonly place: Place;
  /** The first fault in a text that is no document, if it is not merely too short. */
  readonly diagnose: (bytes: Uint8Array) => { offset: number; reason: string } | undefined;
}

const NOTHING = new Uint8Array(0);
/** Bytes kept of an element that is too long. */
const HEAD_BYTES = 4096;

/**
 * Errors: JSON_ERROR for what cannot stand between elements, and for an element that never ends, at
 * its fault; TRUNCATED_INPUT; the reader's, unchanged. Does not close the reader.
 */
export async function* cutElements(
  reader: ByteReader,
  options: CutElementsOptions,
): AsyncGenerator<ElementBlock, void, void> {
  const cutter = new ElementCutter(options);
  let next = reader.read(NOTHING);
  try {
    for (;;) {
      const piece = await next;
      if (piece === undefined) break;
      cutter.add(piece);
      next = reader.read(NOTHING);
      next.catch(() => {});
      yield* cutter.blocks();
    }
    yield* cutter.end();
  } finally {
    next.catch(() => {});
  }
}

/** What may come next between elements. */
type Expect =
  | 'value'
  /** After `[`. */
  | 'value or end'
  /** After `{`. */
  | 'key or end'
  | 'key'
  | 'colon'
  /** After a value. */
  | 'comma'
  /** Reading goes on here by an old cursor, and whether a comma has been read is not known. */
  | 'anything';

class ElementCutter {
  readonly #options: CutElementsOptions;
  /** Depth of the wanted array's elements' container. */
  readonly #target: number;
  #bytes: Uint8Array<ArrayBuffer> = new Uint8Array(0);
  /** Bytes of it in use, and where the first stands in the source. */
  #length = 0;
  #base: number;
  #at = 0;
  /** Containers open around what is being read. */
  #level: number;
  #expect: Expect;
  /** True when the key before is the path's next. */
  #matched = false;
  /** True when something has stood at the path in the top-level value read last. */
  #found: boolean;
  /** The value being read, an element or one to pass over. */
  readonly #value = new ValueScanner();
  /** True when the end of a key, or of a byte order mark, is yet to come. */
  #waiting = false;
  /** Where the element being read begins; -1 for a value to be passed over. */
  #start = -1;
  #tooLong: { head: Uint8Array; offset: number; fault: EtlError | undefined } | undefined;
  /** The block being made: from the first element to the end of the last. */
  #first = -1;
  #last = -1;
  #ready: ElementBlock[] = [];

  constructor(options: CutElementsOptions) {
    const { path, from } = options;
    this.#options = options;
    this.#target = path.length + 1;
    this.#base = from.offset;
    this.#level = from.level ?? 0;
    this.#expect = from.level ? (from.next ?? 'anything') : 'value';
    this.#matched = from.next === 'value';
    this.#found = from.level !== undefined;
  }

  /** Takes more bytes, behind what is still needed of those before. */
  add(piece: Uint8Array): void {
    const keep = this.#start >= 0 ? this.#start : this.#at;
    const held = this.#length - keep;
    const needed = held + piece.length;
    if (keep > 0 || needed > this.#bytes.length) {
      // What is held of one long element doubles, so that joining costs linear time.
      const room = held > piece.length ? 2 * needed : needed;
      const bytes = new Uint8Array(room);
      bytes.set(this.#bytes.subarray(keep, this.#length));
      this.#bytes = bytes;
      this.#base += keep;
      this.#at -= keep;
      if (this.#start >= 0) this.#start = 0;
    }
    this.#bytes.set(piece, held);
    this.#length = needed;
    this.#waiting = false;
    if (this.#base === 0 && this.#at === 0) this.#skipMark();
  }

  *blocks(): Generator<ElementBlock, void, void> {
    let failure: unknown;
    try {
      while (this.#at < this.#length && !this.#waiting) {
        if (this.#value.open) this.#inside();
        else this.#between();
        if (this.#ready.length > 0) yield* this.#take();
      }
    } catch (error) {
      failure = error;
    }
    this.#endBlock();
    yield* this.#take();
    if (failure) throw failure;
    if (this.#start >= 0 && this.#length - this.#start > this.#options.maxLineBytes) this.#giveUp();
  }

  /** Errors: TRUNCATED_INPUT, JSON_ERROR. */
  *end(): Generator<ElementBlock, void, void> {
    if (this.#value.endsAnywhere) this.#endValue(this.#at);
    this.#endBlock();
    yield* this.#take();
    const fault = this.#start >= 0 ? this.#diagnose() : this.#tooLong?.fault;
    if (fault) throw fault;
    if (this.#level > 0 || this.#value.open || this.#expect !== 'value') {
      throw this.#error('TRUNCATED_INPUT', 'the JSON text ends too early', this.#length);
    }
    if (!this.#found) throw this.#error('TRUNCATED_INPUT', 'there is no JSON value', this.#length);
  }

  /** One token between elements. */
  #between(): void {
    const byte = this.#bytes[this.#at]!;
    const inArray = this.#level === this.#target;
    const expect = this.#expect;
    if (isSpace(byte)) this.#at++;
    else if (expect === 'comma' || expect === 'anything') {
      const next = inArray ? 'value' : 'key';
      if (byte === COMMA) {
        this.#at++;
        this.#expect = next;
      } else if (byte === (inArray ? CLOSE_ARRAY : CLOSE_OBJECT)) this.#close();
      else if (expect === 'anything') this.#expect = next;
      else throw this.#unexpected('a comma or the end');
    } else if (expect === 'colon') {
      if (byte !== COLON) throw this.#unexpected('a colon');
      this.#at++;
      this.#expect = 'value';
    } else if (expect === 'key or end' && byte === CLOSE_OBJECT) this.#close();
    else if (expect === 'value or end' && byte === CLOSE_ARRAY) this.#close();
    else if (expect === 'key' || expect === 'key or end') this.#key();
    else this.#beginValue(byte);
  }

  /** A value begins: it is opened, read as an element, or passed over. */
  #beginValue(byte: number): void {
    const { path } = this.#options;
    const level = this.#level;
    if (byte === COMMA || byte === COLON || byte === CLOSE_ARRAY || byte === CLOSE_OBJECT) {
      throw this.#unexpected('a value');
    }
    const onPath = level === 0 || this.#matched;
    if (level === path.length && onPath && byte === OPEN_ARRAY) {
      this.#open('value or end');
      return;
    }
    if (level < path.length && onPath && byte === OPEN_OBJECT) {
      this.#open('key or end');
      return;
    }
    const element = level === this.#target || (level === path.length && onPath);
    if (level === 0 && !element) throw this.#unexpected('an object');
    this.#found ||= element;
    // Nothing at the path is none of its elements.
    if (element && !(byte === SMALL_N && level > 0 && level < this.#target)) {
      this.#separate();
      this.#start = this.#at;
    }
    this.#value.begin(byte);
  }

  #open(expect: Expect): void {
    this.#endBlock();
    this.#at++;
    this.#level++;
    this.#matched = false;
    this.#expect = expect;
    if (this.#level === 1) this.#found = false;
    if (expect === 'value or end') this.#found = true;
  }

  #close(): void {
    const inner = this.#level;
    if (inner === 1 && !this.#found) {
      throw this.#error(
        'JSON_ERROR',
        `nothing stands at ${this.#options.path.join('.')}`,
        this.#at,
      );
    }
    this.#at++;
    this.#level--;
    this.#afterValue();
    this.#endBlock(inner);
  }

  #afterValue(): void {
    this.#matched = false;
    this.#expect = this.#level === 0 ? 'value' : 'comma';
  }

  /** Compares a key with the path's; waits when its end is yet to come. */
  #key(): void {
    if (this.#bytes[this.#at] !== QUOTE) throw this.#unexpected('a key');
    let at = this.#at + 1;
    while (at < this.#length && this.#bytes[at] !== QUOTE) {
      at += this.#bytes[at] === BACKSLASH ? 2 : 1;
    }
    if (at >= this.#length) {
      if (this.#length - this.#at > this.#options.maxLineBytes) {
        throw this.#error('LINE_TOO_LONG', 'a key does not end', this.#at);
      }
      this.#waiting = true;
      return;
    }
    const text = new TextDecoder().decode(this.#bytes.subarray(this.#at, at + 1));
    this.#matched = parseKey(text) === this.#options.path[this.#level - 1];
    this.#at = at + 1;
    this.#expect = 'colon';
  }

  /** Goes on in a value, to its end or to that of the bytes. */
  #inside(): void {
    const end = this.#value.scan(this.#bytes, this.#at, this.#length);
    this.#at = end < 0 ? this.#length : end;
    if (end >= 0) this.#endValue(end);
  }

  /** A value ends in front of `end`. */
  #endValue(end: number): void {
    const start = this.#start;
    const tooLong = this.#tooLong;
    this.#value.end();
    this.#start = -1;
    this.#tooLong = undefined;
    this.#afterValue();
    if (tooLong) this.#refuse(tooLong.head, tooLong.offset, end);
    if (start < 0) return;
    if (end - start > this.#options.maxLineBytes) {
      const head = this.#headOf(start);
      this.#refuse(head, this.#base + start, end);
      return;
    }
    if (this.#first < 0) this.#first = start;
    this.#last = end;
  }

  #refuse(bytes: Uint8Array, offset: number, end: number): void {
    this.#endBlock();
    const level = this.#level;
    const block = { bytes, offset, end: this.#base + end, level, inner: level };
    this.#ready.push({ ...block, tooLong: true });
  }

  /** Puts a line end between the element before and the one that begins here. */
  #separate(): void {
    if (this.#first < 0) return;
    if (this.#last === this.#at) {
      this.#endBlock();
      return;
    }
    this.#bytes.fill(SPACE, this.#last, this.#at - 1);
    this.#bytes[this.#at - 1] = LINE_END;
  }

  #endBlock(inner: number = this.#level): void {
    if (this.#first < 0) return;
    const first = this.#first;
    // What stands behind the last element has been read: its place can take the line end.
    const isRead = this.#last < (this.#start >= 0 ? this.#start : this.#at);
    if (isRead) this.#bytes[this.#last] = LINE_END;
    const last = this.#last + (isRead ? 1 : 0);
    const bytes = this.#bytes.subarray(first, last);
    const end = this.#base + (inner === this.#level ? this.#last : this.#at);
    this.#first = -1;
    this.#ready.push({ bytes, offset: this.#base + first, end, level: this.#level, inner });
  }

  #take(): ElementBlock[] {
    const blocks = this.#ready;
    this.#ready = [];
    return blocks;
  }

  /** Of an element that is too long only its beginning is kept. */
  #giveUp(): void {
    const start = this.#start;
    this.#tooLong = {
      head: this.#headOf(start),
      offset: this.#base + start,
      fault: this.#diagnose(),
    };
    this.#start = -1;
  }

  #headOf(start: number): Uint8Array {
    const size = Math.min(HEAD_BYTES, this.#options.maxLineBytes);
    return this.#bytes.slice(start, start + size);
  }

  /** Why the element being read has no end, as far as its beginning tells. */
  #diagnose(): EtlError | undefined {
    const { diagnose, maxLineBytes } = this.#options;
    const start = this.#start;
    const end = Math.min(this.#length, start + maxLineBytes);
    const fault = diagnose(this.#bytes.subarray(start, end));
    return fault && this.#error('JSON_ERROR', fault.reason, start + fault.offset);
  }

  #unexpected(what: string): EtlError {
    return this.#error('JSON_ERROR', `expected ${what}`, this.#at);
  }

  #error(code: 'JSON_ERROR' | 'TRUNCATED_INPUT' | 'LINE_TOO_LONG', what: string, at: number) {
    return new EtlError(code, what, { place: { ...this.#options.place, offset: this.#base + at } });
  }

  /** Waits for the rest of what has begun as one. */
  #skipMark(): void {
    const have = Math.min(this.#length, BYTE_ORDER_MARK.length);
    for (let i = 0; i < have; i++) if (this.#bytes[i] !== BYTE_ORDER_MARK[i]) return;
    if (have < BYTE_ORDER_MARK.length) this.#waiting = true;
    else this.#at = have;
  }
}

function parseKey(text: string): string | undefined {
  try {
    return JSON.parse(text) as string;
  } catch {}
}

const BYTE_ORDER_MARK = [0xef, 0xbb, 0xbf];
const BACKSLASH = 0x5c;
const SMALL_N = 0x6e;
