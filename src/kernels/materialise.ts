/**
 * Objects from the tape. For each order of keys that comes again a constructor is generated that
 * builds objects of one hidden class; where code generation is not allowed, and for orders seen
 * rarely, objects are built key by key. `__proto__` and repeated keys come out as JSON.parse has them.
 *
 * Short strings are copied, longer ones are cut from the text of a few documents (at most 4 KiB), so
 * that keeping one string never keeps the chunk. For documents that are kept, short ones that come
 * again and again are made once, and the text that others are cut from holds nothing else: the module
 * stamps and gathers them (wasm/texts.ts).
 */
import { type Document, LineRecord, RECORD_WORDS } from '../core/batch.ts';
import { Layout, type LineMachine } from './line-machine.ts';
import { decodeWtf8, readTexts, type TextReader } from './wasm-bytes.ts';

const T = {
  null: 1,
  false: 2,
  true: 3,
  number: 4,
  numberSlow: 5,
  string: 6,
  stringUtf8: 7,
  stringEscaped: 8,
  object: 9,
  array: 10,
  end: 11,
} as const;

/** Text of one parent string, in bytes. */
const GROUP_BYTES = 4096;
/** Sights of a key order before a constructor is generated for it. */
const WORTH_GENERATING = 4;
const MAX_SHAPES = 4096;
/** A power of two. */
const RECENT = 64;
const MAX_FIELDS = 256;
/** The bits of a stamp that tell a string's place. */
const PLACE = (1 << Layout.textBits) - 1;

/** Builds the object whose opening tape entry is at word `at`; undefined if it is of another shape. */
type Construct = (m: Materialiser, at: number) => Document | undefined;

export class Materialiser {
  readonly keeps: boolean;
  words!: Int32Array;
  doubles!: Float64Array;
  /** Text of the documents around the current one, all of it or that of strings, and its address. */
  text = '';
  base = 0;
  /** Strings that came again, by their places, and the stamps that they were made under. */
  readonly texts: string[];
  readonly stamps: Int32Array;
  readonly #machine: LineMachine;
  #bytes: Uint8Array | undefined;
  #reader!: TextReader;
  #textEnd = 0;
  #textEpoch = 0;
  #gatheredEnd = 0;
  #generation = -1;
  #names: string[] = [];
  #shapes = new Map<number, Construct | number>();
  /** The constructors asked for last, by the low bits of their shape: cheaper than the map. */
  readonly #recentShapes = new Int32Array(RECENT);
  readonly #recent: (Construct | undefined)[] = new Array(RECENT);

  /** `keeps`: the documents will live long, so that their strings are worth comparing. */
  constructor(machine: LineMachine, keeps = false) {
    this.#machine = machine;
    this.keeps = keeps;
    this.texts = new Array<string>(keeps ? PLACE + 1 : 0).fill('');
    this.stamps = new Int32Array(this.texts.length);
  }

  /**
   * Builds the documents of the records [from, to) of the module; word 3 of each is its tape place,
   * 0 where there is none and `JSON.parse` does the work.
   */
  build(from: number, to: number, into: Document[]): void {
    this.#refresh();
    if (this.keeps) this.#gather();
    const records = this.#machine.u32.subarray(Layout.records >> 2, Layout.recordsEnd >> 2);
    for (let i = from; i < to; i++) {
      const record = i * RECORD_WORDS;
      const start = Layout.input + records[record]!;
      const end = Layout.input + records[record + LineRecord.end]!;
      const tape = records[record + 3]!;
      if (tape === 0) into.push(JSON.parse(this.#reader.utf8(start, end)) as Document);
      else {
        if (this.keeps) this.#takeGathered(records, i, to);
        else if (end > this.#textEnd || start < this.base) {
          this.#takeText(records, i, to, start, end);
        }
        into.push(this.object(tape >> 2));
      }
    }
  }

  /** The document of `length` bytes at the module's input, read to tape address `tape`. */
  one(tape: number, length: number): Document {
    this.#refresh();
    this.base = Layout.input;
    this.text = this.#reader.latin1(this.base, this.base + length);
    return this.object(tape >> 2);
  }

  /** The object at tape word `at`. */
  object(at: number): Document {
    const shape = this.words[at + 1]!;
    const place = shape & (RECENT - 1);
    const recent = this.#recent[place];
    if (recent !== undefined && this.#recentShapes[place] === shape) {
      const built = recent(this, at);
      if (built !== undefined) return built;
    }
    return this.#objectOf(shape, at);
  }

  #objectOf(shape: number, at: number): Document {
    const known = this.#shapes.get(shape);
    if (typeof known === 'function') {
      const place = shape & (RECENT - 1);
      this.#recentShapes[place] = shape;
      this.#recent[place] = known;
      const built = known(this, at);
      if (built !== undefined) return built;
    } else if (known === undefined) {
      if (this.#shapes.size < MAX_SHAPES) this.#shapes.set(shape, 1);
    } else if (known === WORTH_GENERATING) {
      this.#shapes.set(shape, generate(this, at) ?? WORTH_GENERATING + 1);
    } else if (known < WORTH_GENERATING) this.#shapes.set(shape, known + 1);
    return this.#objectByKeys(at);
  }

  /** The value at tape word `at`. */
  value(at: number): unknown {
    const { words } = this;
    switch (words[at]! & 0xff) {
      case T.string:
        return this.string(at);
      case T.number:
        return this.doubles[(at >> 1) + 1]!;
      case T.true:
        return true;
      case T.false:
        return false;
      case T.null:
        return null;
      case T.object:
        return this.object(at);
      case T.array:
        return this.array(at);
      case T.stringUtf8:
        return this.#reader.utf8(words[at + 1]!, words[at + 2]!);
      case T.stringEscaped:
        return JSON.parse(`"${this.#reader.utf8(words[at + 1]!, words[at + 2]!)}"`);
      default:
        return Number(this.#reader.utf8(words[at + 1]!, words[at + 2]!));
    }
  }

  /** The plain string at tape word `at`. */
  string(at: number): string {
    const { words, base } = this;
    const start = words[at + 1]!;
    const end = words[at + 2]!;
    const stamp = this.keeps ? words[at + 3]! : 0;
    if (stamp === 0) return this.text.substring(start - base, end - base);
    const place = stamp & PLACE;
    if (this.stamps[place] !== stamp) {
      this.stamps[place] = stamp;
      // Not cut from a larger one, which it would keep.
      this.texts[place] = this.#reader.latin1(start, end);
    }
    return this.texts[place]!;
  }

  /** The tape word after the value at `at`. */
  next(at: number): number {
    const type = this.words[at]! & 0xff;
    return type === T.object || type === T.array ? this.words[at + 2]! >> 2 : at + 4;
  }

  /** The key of a node. */
  name(node: number): string {
    let name = this.#names[node];
    if (name === undefined) {
      const { u32, u8 } = this.#machine;
      const at = (Layout.nodes + node * Layout.nodeSize) >> 2;
      name = decodeWtf8(u8.subarray(u32[at + 1]!, u32[at + 1]! + u32[at + 2]!));
      this.#names[node] = name;
    }
    return name;
  }

  /** The array whose opening tape entry is at word `at`. */
  array(at: number): unknown[] {
    // A literal takes the room it needs; the first `push` to an empty array takes that of 17 values.
    const end = (this.words[at + 2]! >> 2) - 4;
    if (at + 4 >= end) return [];
    const first = this.value(at + 4);
    const at1 = this.next(at + 4);
    if (at1 >= end) return [first];
    const second = this.value(at1);
    const at2 = this.next(at1);
    if (at2 >= end) return [first, second];
    const array = [first, second, this.value(at2)];
    for (let i = this.next(at2); i < end; i = this.next(i)) array.push(this.value(i));
    return array;
  }

  #objectByKeys(at: number): Document {
    const { words } = this;
    const end = (words[at + 2]! >> 2) - 4;
    const object: Document = {};
    for (let i = at + 4; i < end; i = this.next(i)) {
      const name = this.name(words[i]! >>> 8);
      if (name === '__proto__') {
        const value = this.value(i);
        Object.defineProperty(object, name, {
          value,
          writable: true,
          enumerable: true,
          configurable: true,
        });
      } else object[name] = this.value(i);
    }
    return object;
  }

  /** Decodes the documents from record `i` on, as many as fit a group, as one text. */
  #takeText(records: Uint32Array, i: number, to: number, start: number, end: number): void {
    let last = end;
    for (let next = i + 1; next < to; next++) {
      const nextStart = Layout.input + records[next * RECORD_WORDS]!;
      const nextEnd = Layout.input + records[next * RECORD_WORDS + LineRecord.end]!;
      if (nextEnd - start > GROUP_BYTES || nextStart < last) break;
      last = nextEnd;
    }
    this.text = this.#reader.latin1(start, last);
    this.base = start;
    this.#textEnd = last;
  }

  /** Has the tape's strings stamped and gathered. */
  #gather(): void {
    const { exports, outStart } = this.#machine;
    this.#gatheredEnd = exports.gatherTexts(outStart);
    const epoch = exports.textEpoch();
    if (this.#textEpoch !== epoch) this.stamps.fill(0);
    this.#textEpoch = epoch;
    this.#textEnd = outStart;
  }

  /** As `#takeText` of the gathered strings, where those of record `i` are not there yet. */
  #takeGathered(records: Uint32Array, i: number, to: number): void {
    const start = this.#gatheredAt(records, i);
    if (start < this.#textEnd || start === this.#gatheredEnd) return;
    let last = start;
    for (let next = i + 1; next <= to && last - start <= GROUP_BYTES; next++) {
      const at = next < to ? this.#gatheredAt(records, next) : this.#gatheredEnd;
      if (at <= last) continue;
      if (last > start && at - start > GROUP_BYTES) break;
      last = at;
    }
    this.text = this.#reader.latin1(start, last);
    this.base = start;
    this.#textEnd = last;
  }

  /** Where the strings of a record's document begin; 0 where it is not on the tape. */
  #gatheredAt(records: Uint32Array, i: number): number {
    const tape = records[i * RECORD_WORDS + 3]!;
    return tape === 0 ? 0 : this.words[(tape >> 2) + 3]!;
  }

  /** Starts on new results: views after growth, names after forgetting, text always. */
  #refresh(): void {
    const { u8, f64, generation } = this.#machine;
    this.#textEnd = 0;
    if (this.#bytes?.buffer !== u8.buffer) {
      this.#bytes = u8;
      this.words = new Int32Array(u8.buffer);
      this.doubles = f64;
      this.#reader = readTexts(u8);
    }
    if (this.#generation !== generation) {
      this.#generation = generation;
      this.#names = [];
      this.#shapes.clear();
      this.#recent.fill(undefined);
    }
  }
}

/** Generates the constructor for the shape of the object at `at`; undefined where that is not possible. */
function generate(m: Materialiser, at: number): Construct | undefined {
  const code = new ObjectCode(m);
  const root = code.object(at, 'at');
  if (code.variables > MAX_FIELDS) return undefined;
  const source = `
    const I = m.words, F = m.doubles, S = m.text, B = m.base${m.keeps ? ', K = m.stamps, D = m.texts' : ''};
    let i = at, w = 0, s = 0;
    ${root.reads}
    return ${root.literal};`;
  try {
    return new Function('m', 'at', source) as Construct;
  } catch {
    return undefined;
  }
}

/** Code for the plain string at so many words behind tape word `i`. */
function stringAt(words: number, keeps: boolean): string {
  const cut = `S.substring(I[i + ${words + 1}] - B, I[i + ${words + 2}] - B)`;
  if (!keeps) return cut;
  const kept = `K[s & ${PLACE}] === s ? D[s & ${PLACE}] : m.string(i + ${words})`;
  return `((s = I[i + ${words + 3}]) === 0 ? ${cut} : ${kept})`;
}

/** Strings that an array may hold to be read in line. */
const FEW_TEXTS = 3;

/** Code that reads the array at `i`: a few strings in line, anything else by `array`. */
function arrayOfTexts(field: string, keeps: boolean): string {
  const texts: string[] = [];
  const cases = [`w = (I[i + 2] >> 2) - i; if (w === 8) ${field} = [];`];
  for (let k = 1; k <= FEW_TEXTS; k++) {
    texts.push(stringAt(4 * k, keeps));
    cases.push(
      `else if (w < ${4 * k + 8} || (I[i + ${4 * k}] & 255) !== ${T.string}) ${field} = m.array(i);`,
      `else if (w === ${4 * k + 8}) ${field} = [${texts.join(',')}];`,
    );
  }
  return `${cases.join('\n')} else ${field} = m.array(i); i += w;`;
}

/**
 * Code for objects like those on a tape. `i` is the tape word read next; a key that is not the expected
 * one returns undefined from the whole constructor.
 */
class ObjectCode {
  variables = 0;
  readonly #m: Materialiser;

  constructor(m: Materialiser) {
    this.#m = m;
  }

  /** Statements that go over the object at tape word `at`, named `start` in the code, and what makes it. */
  object(at: number, start: string): { readonly reads: string; readonly literal: string } {
    const { words } = this.#m;
    const end = (words[at + 2]! >> 2) - 4;
    const reads: string[] = [];
    const fields: string[] = [];
    for (let i = at + 4; i < end && this.variables <= MAX_FIELDS; i = this.#m.next(i)) {
      const name = this.#m.name(words[i]! >>> 8);
      const field = `v${this.variables++}`;
      fields.push(`${name === '__proto__' ? '["__proto__"]' : JSON.stringify(name)}:${field}`);
      reads.push(`let ${field}; ${this.#field(field, i)}`);
    }
    return {
      reads: `i += 4;
      ${reads.join('\n')}
      if (i !== (I[${start} + 2] >> 2) - 4) return undefined;
      i += 4;`,
      literal: `{${fields.join(',')}}`,
    };
  }

  /** Reads one field: the expected type at once, another type of the same key by `value`. */
  #field(field: string, at: number): string {
    const word = this.#m.words[at]!;
    const type = word & 0xff;
    const slow = `{
      if ((w & ~255) !== ${word & ~0xff}) return undefined;
      ${field} = m.value(i); i = m.next(i); }`;
    if (type === T.true || type === T.false) {
      const tag = `(w = I[i] ^ ${word & ~0xff})`;
      return `if (${tag} === ${T.true} || w === ${T.false}) {
        ${field} = w === ${T.true}; i += 4; } else { w = I[i]; ${slow} }`;
    }
    if (type === T.object) {
      const start = `o${this.variables}`;
      const { reads, literal } = this.object(at, start);
      return `w = I[i]; if (w === ${word} && I[i + 1] === ${this.#m.words[at + 1]!}) {
        const ${start} = i; ${reads} ${field} = ${literal}; } else ${slow}`;
    }
    const { keeps } = this.#m;
    const fast: Record<number, string> = {
      [T.string]: `${field} = ${stringAt(0, keeps)}; i += 4;`,
      [T.number]: `${field} = F[(i >> 1) + 1]; i += 4;
        if ((w = ${field} | 0) === ${field} && w !== 0) ${field} = w;`,
      [T.array]: arrayOfTexts(field, keeps),
    };
    const read = fast[type];
    return read === undefined
      ? `w = I[i]; ${slow}`
      : `w = I[i]; if (w === ${word}) { ${read} } else ${slow}`;
  }
}
