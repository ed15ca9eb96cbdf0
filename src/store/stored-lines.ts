/**
 * Single stored lines by offset, whether they are in the file or still on their way into it, and
 * the confirmation of ids that the index asks for: it knows only hashes.
 */
import type { Document } from '../core/batch.ts';
import { EtlError, isEtlError } from '../core/errors.ts';
import type { RandomReader } from '../io/disk.ts';
import { type Kernel, MAX_LENGTH } from '../kernels/index.ts';
import type { FileTail } from './tail.ts';

const NEWLINE = 10;

export class StoredLines {
  /** Lines not yet written; the writer sets it. */
  tail: FileTail | undefined;
  /** One past the last whole line in the file; the owner keeps it. */
  end = 0;
  readonly #reader: RandomReader;
  readonly #kernel: Kernel;
  readonly #place: { readonly path?: string };

  /** `path` is that of the data, for errors. */
  constructor(reader: RandomReader, kernel: Kernel, path?: string) {
    this.#reader = reader;
    this.#kernel = kernel;
    this.#place = path === undefined ? {} : { path };
  }

  /** The line at an index entry's place, without its end, until the next call. */
  view(offset: number, length: number): Uint8Array {
    const pending = this.tail?.find(offset);
    const bytes = length < MAX_LENGTH ? length - 1 : this.#longLength(offset) - 1;
    if (pending === undefined) return this.#reader.view(offset, bytes);
    return pending.bytes.subarray(pending.at, pending.at + bytes);
  }

  /** Whether the line at this place is of the document `id`. Errors: CORRUPTED_DATA. */
  isOf(offset: number, length: number, id: string): boolean {
    // Our own lines begin with the id, and the hash has matched: no need to read on.
    const head = `{"_id":"${id}"`;
    const bytes = Buffer.byteLength(head);
    if (bytes < length && this.#head(offset, bytes) === head) return true;
    return this.document(offset, length)._id === id;
  }

  /** The same, a damaged line being of none. */
  hasId(offset: number, length: number, id: string): boolean {
    try {
      return this.isOf(offset, length, id);
    } catch (error) {
      if (isEtlError(error, 'CORRUPTED_DATA')) return false;
      throw error;
    }
  }

  /** The document at an index entry's place. Errors: CORRUPTED_DATA. */
  document(offset: number, length: number): Document {
    const document = this.#kernel.document(this.view(offset, length));
    if (document !== undefined) return document;
    throw new EtlError('CORRUPTED_DATA', 'what is stored here is no document', {
      place: { ...this.#place, offset },
    });
  }

  close(): void {
    this.#reader.close();
  }

  #head(offset: number, bytes: number): string {
    const pending = this.tail?.find(offset);
    if (pending === undefined) return this.#reader.text(offset, bytes);
    return decode(pending.bytes, pending.at, pending.at + bytes);
  }

  /** The index keeps lengths up to 16 MiB; longer lines are measured. */
  #longLength(offset: number): number {
    const pending = this.tail?.find(offset);
    if (pending !== undefined) return pending.bytes.indexOf(NEWLINE, pending.at) - pending.at + 1;
    const end = this.tail?.writtenEnd ?? this.end;
    for (let length = MAX_LENGTH - 1; ; ) {
      const step = Math.min(1 << 20, end - offset - length);
      const found = this.#reader.view(offset + length, step).indexOf(NEWLINE);
      if (found >= 0) return length + found + 1;
      length += step;
    }
  }
}

function decode(bytes: Uint8Array, start: number, end: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8', start, end);
}
