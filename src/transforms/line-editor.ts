/**
 * Makes the lines of a batch anew with some ranges replaced. What lies between the edits is copied
 * in one go, over any number of lines, so a batch that is not edited is not copied at all.
 */
import { type Batch, type EncodedLines, LineRecord, RECORD_WORDS } from '../core/batch.ts';
import type { OnReject } from '../core/reject.ts';
import { tryDocument } from './reject-document.ts';

/** Bytes appended to memory that grows. */
export class ByteWriter {
  bytes: Uint8Array;
  length = 0;

  constructor(capacity: number) {
    this.bytes = new Uint8Array(capacity);
  }

  /** Appends a copy of `source` from `from` to `to`. */
  copy(source: Uint8Array, from = 0, to: number = source.length): void {
    const size = to - from;
    if (this.length + size > this.bytes.length) this.#grow(size);
    if (size < 24) {
      for (let i = 0; i < size; i++) this.bytes[this.length + i] = source[from + i]!;
    } else this.bytes.set(source.subarray(from, to), this.length);
    this.length += size;
  }

  byte(value: number): void {
    if (this.length === this.bytes.length) this.#grow(1);
    this.bytes[this.length++] = value;
  }

  /** What has been written: a view that ends with the next write. */
  written(): Uint8Array {
    return this.bytes.subarray(0, this.length);
  }

  #grow(size: number): void {
    const grown = new Uint8Array(Math.max(this.bytes.length * 2, this.length + size, 64));
    grown.set(this.bytes.subarray(0, this.length));
    this.bytes = grown;
  }
}

/** Lines made one after the other, each from a document of a batch. */
export class LineBuilder {
  readonly writer: ByteWriter;
  count = 0;
  #records: Uint32Array = new Uint32Array(64 * RECORD_WORDS);
  #start = 0;

  constructor(capacity: number) {
    this.writer = new ByteWriter(capacity);
  }

  get byteLength(): number {
    return this.writer.length;
  }

  /** What has been written since the last line is one, made from document `index`. */
  endLine(index: number): void {
    const base = this.count++ * RECORD_WORDS;
    if (base === this.#records.length) {
      const grown = new Uint32Array(base * 2);
      grown.set(this.#records);
      this.#records = grown;
    }
    this.#records[base] = this.#start;
    this.#records[base + LineRecord.end] = this.writer.length;
    this.#records[base + LineRecord.line] = index;
    this.writer.byte(0x0a);
    this.#start = this.writer.length;
  }

  /** Forgets what has been written since the last line. */
  dropLine(): void {
    this.writer.length = this.#start;
  }

  /** The lines, for `deriveLines`; nothing may be written afterwards. */
  lines(): EncodedLines {
    const { count } = this;
    return { bytes: this.writer.written(), records: this.#records, count, dense: true };
  }
}

/** What `replace` puts where something is only taken out. */
export const NOTHING: Uint8Array = new Uint8Array(0);

/** Replaces ranges of one line, or inserts; calls come in ascending order and do not overlap. */
export interface LineEdits {
  replace(from: number, to: number, by: Uint8Array): void;
}

/**
 * The batch with every line edited by `edit`, which throws a `Refusal` to refuse the document and is
 * told its ordinal.
 * Nothing edited: the batch itself.
 */
export function editLines(
  batch: Batch,
  onReject: OnReject | undefined,
  edit: (bytes: Uint8Array, start: number, end: number, edits: LineEdits, index: number) => void,
): Batch[] {
  const { bytes, records } = batch.denseLines();
  const editor = new Editor(bytes);
  const places = new Uint32Array(batch.length * RECORD_WORDS);
  let count = 0;
  for (let i = 0; i < batch.length; i++) {
    const start = records[i * RECORD_WORDS]!;
    const end = records[i * RECORD_WORDS + LineRecord.end]!;
    editor.begin();
    const kept = tryDocument(batch, i, onReject, () => {
      edit(bytes, start, end, editor, i);
      return true;
    });
    if (!kept) {
      editor.drop(start, end + 1);
      continue;
    }
    const base = count++ * RECORD_WORDS;
    places[base] = start + editor.shiftBefore;
    places[base + LineRecord.end] = end + editor.shift;
    places[base + LineRecord.line] = i;
  }
  if (count === 0) return [];
  if (!editor.edited) return [batch];
  const lines: EncodedLines = { bytes: editor.finish(), records: places, count, dense: true };
  return [batch.deriveLines(lines)];
}

class Editor implements LineEdits {
  /** How far what comes next lies behind its old place. */
  shift = 0;
  /** The same where the line began. */
  shiftBefore = 0;
  edited = false;
  readonly #source: Uint8Array;
  readonly #out: ByteWriter;
  /** The source's bytes up to here are dealt with. */
  #done = 0;
  #mark = { length: 0, done: 0, edited: false };

  constructor(source: Uint8Array) {
    this.#source = source;
    this.#out = new ByteWriter(0);
  }

  /** A line begins; `drop` goes back to here. */
  begin(): void {
    this.shiftBefore = this.shift;
    this.#mark.length = this.#out.length;
    this.#mark.done = this.#done;
    this.#mark.edited = this.edited;
  }

  replace(from: number, to: number, by: Uint8Array): void {
    if (!this.edited) this.#start();
    this.#out.copy(this.#source, this.#done, from);
    this.#out.copy(by);
    this.#done = to;
    this.shift += by.length - (to - from);
  }

  /** Undoes the line's edits and leaves it out. */
  drop(from: number, to: number): void {
    this.#out.length = this.#mark.length;
    this.#done = this.#mark.done;
    this.shift = this.shiftBefore;
    this.replace(from, to, NOTHING);
  }

  finish(): Uint8Array {
    this.#out.copy(this.#source, this.#done);
    return this.#out.written();
  }

  #start(): void {
    this.edited = true;
    this.#out.bytes = new Uint8Array(this.#source.length + (this.#source.length >> 3) + 64);
  }
}
