/**
 * Objects from the table of a CSV chunk. For the columns of a reader one function is generated that
 * builds objects of one hidden class; where code generation is not allowed, and for very many columns,
 * they are built key by key.
 *
 * Short strings are copied, longer ones cut from the text of a few rows (at most 4 KiB), so that
 * keeping one string never keeps the chunk. Longer rows have each of their texts decoded alone.
 */
import { type Document, SITE_WORDS } from '../core/batch.ts';
import { CsvEntry, CsvLayout } from './csv-layout.ts';
import type { CsvProgram } from './csv-types.ts';
import { readTexts, type TextReader } from './wasm-bytes.ts';

/** Text of one parent string, in bytes. */
const GROUP_BYTES = 4096;
const MAX_GENERATED = 256;
/** Functions kept for readers of the same columns: a file's function is then fast for the next. */
const MAX_KEPT = 64;
/** Words of an entry. */
const WORDS = 4;

/** Builds the rows of the table words [at, end), whose texts are cut from `text`, that of address `base` on. */
type BuildRows = (
  builder: RowBuilder,
  words: Int32Array,
  doubles: Float64Array,
  text: string,
  base: number,
  at: number,
  end: number,
  into: Document[],
) => void;

const generated = new Map<string, BuildRows>();

export class RowBuilder {
  readonly #program: CsvProgram;
  readonly #rowWords: number;
  readonly #escapes: RegExp;
  #buildRows: BuildRows | undefined;
  #words: Int32Array = new Int32Array(0);
  #doubles!: Float64Array;
  #texts!: TextReader;

  constructor(program: CsvProgram) {
    const { columns, dialect } = program;
    const { quote = 0, escape: by = quote } = dialect;
    const [marked, marker] = [hex(quote), hex(by)];
    this.#program = program;
    this.#rowWords = columns.length * WORDS;
    this.#escapes = new RegExp(`${marker}([${marker}${marked}])`, 'g');
  }

  /**
   * Adds the objects of `count` rows, whose sites the module has left: the table is at address
   * `table`, the input was read to address `end`.
   */
  build(memory: Uint8Array, count: number, table: number, end: number, into: Document[]): void {
    this.#buildRows ??= generate(this.#program) ?? buildByKeys(this.#rowWords);
    if (this.#words.buffer !== memory.buffer) {
      this.#words = new Int32Array(memory.buffer);
      this.#doubles = new Float64Array(memory.buffer);
      this.#texts = readTexts(memory);
    }
    const words = this.#words;
    const sites = CsvLayout.sites >> 2;
    const startOf = (row: number) =>
      row < count ? CsvLayout.input + words[sites + row * SITE_WORDS]! : end;
    let at = table >> 2;
    for (let row = 0; row < count; ) {
      const start = startOf(row);
      let stop = startOf(row + 1);
      let next = row + 1;
      for (; next < count; next++) {
        const after = startOf(next + 1);
        if (after - start > GROUP_BYTES) break;
        stop = after;
      }
      const to = at + (next - row) * this.#rowWords;
      if (stop - start > GROUP_BYTES) into.push(this.row(at));
      else {
        const text = this.#texts.latin1(start, stop);
        this.#buildRows(this, words, this.#doubles, text, start, at, to, into);
      }
      row = next;
      at = to;
    }
  }

  /** The object of the row at table word `at`, key by key. */
  row(at: number): Document {
    const object: Document = {};
    let entry = at;
    for (const { name } of this.#program.columns) {
      if (this.#words[entry] !== CsvEntry.omit) define(object, name, this.value(entry));
      entry += WORDS;
    }
    return object;
  }

  /** The value of any entry. */
  value(at: number): unknown {
    const words = this.#words;
    const [from, to] = [words[at + 1]!, words[at + 2]!];
    switch (words[at]) {
      case CsvEntry.true:
        return true;
      case CsvEntry.false:
        return false;
      case CsvEntry.integer:
        return from;
      case CsvEntry.double:
        return this.#doubles[(at >> 1) + 1];
      case CsvEntry.digits:
        return Number(this.#texts.latin1(from, to));
      case CsvEntry.ascii:
        return this.#texts.latin1(from, to);
      case CsvEntry.utf8:
        return this.#texts.utf8(from, to);
      case CsvEntry.escaped:
        return this.#texts.utf8(from, to).replace(this.#escapes, '$1');
      default:
        return null;
    }
  }
}

function hex(byte: number): string {
  return `\\x${byte.toString(16).padStart(2, '0')}`;
}

function define(object: Document, name: string, value: unknown): void {
  if (!(name in Object.prototype)) {
    object[name] = value;
    return;
  }
  const how = { writable: true, enumerable: true, configurable: true };
  Object.defineProperty(object, name, { value, ...how });
}

/** Builds rows without generated code. */
function buildByKeys(rowWords: number): BuildRows {
  return (builder, _words, _doubles, _text, _base, at, end, into) => {
    for (let row = at; row < end; row += rowWords) into.push(builder.row(row));
  };
}

/**
 * Generates what builds rows of these columns; undefined where that is not possible.
 *
 * The rows come from a constructor whose objects are those of a literal in all but this: V8 never
 * decides to place them with the old objects. It does for a literal when the first few hundred outlive a
 * collection, as those of a new function are likely to; their texts then stay, too, and every
 * collection copies them (measured: twice the time).
 */
function generate({ columns, empty }: CsvProgram): BuildRows | undefined {
  if (columns.length > MAX_GENERATED) return undefined;
  const values = columns.map((_, i) => `v${i}`).join(',');
  const fields = columns.map(({ name }, i) => {
    const key = JSON.stringify(name);
    // An assignment to what Object.prototype has would be its to take.
    return name in Object.prototype ? `D(this, ${key}, v${i});` : `this[${key}] = v${i};`;
  });
  const reads = columns.map(({ type }, i) => {
    const at = i === 0 ? 'at' : `at + ${i * WORDS}`;
    const omit =
      empty === 'omit' ? `if (w === ${CsvEntry.omit}) { into.push(m.row(at)); continue; }` : '';
    return `w = I[${at}]; ${omit} const v${i} = ${readEntry(type, at, i)};`;
  });
  const source = `
    function Row(${values}) { ${fields.join('\n')} }
    Row.prototype = Object.prototype;
    return (m, I, F, S, B, at, end, into) => {
      for (let w = 0; at < end; at += ${columns.length * WORDS}) {
        ${reads.join('\n')}
        into.push(new Row(${values}));
      }
    };`;
  let build = generated.get(source);
  if (build) return build;
  try {
    build = new Function('D', source)(define) as BuildRows;
  } catch {
    return undefined;
  }
  if (generated.size >= MAX_KEPT) generated.clear();
  generated.set(source, build);
  return build;
}

/** An expression for entry `i` of a row, whose first word is in `w`: what is likely at once. */
function readEntry(type: CsvProgram['columns'][number]['type'], at: string, i: number): string {
  const { ascii, integer, double, true: yes, false: no } = CsvEntry;
  const rest = `m.value(${at})`;
  const word = (ordinal: number) => `I[at + ${i * WORDS + ordinal}]`;
  const whole = `w === ${integer} ? ${word(1)}`;
  if (type === 'integer') return `${whole} : ${rest}`;
  if (type === 'number') {
    return `w === ${double} ? F[(at >> 1) + ${i * 2 + 1}] : ${whole} : ${rest}`;
  }
  if (type === 'boolean') return `w === ${yes} ? true : w === ${no} ? false : ${rest}`;
  return `w === ${ascii} ? S.substring(${word(1)} - B, ${word(2)} - B) : ${rest}`;
}
