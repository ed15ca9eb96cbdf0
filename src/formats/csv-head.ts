/** The beginning of a CSV file, by which it is told how the file is written. */
import { sourcePlace } from '../core/batch.ts';
import { EtlError } from '../core/errors.ts';
import { isTransientError } from '../core/retry.ts';
import type { ByteReader } from '../core/stage.ts';
import { type CsvSniffInput, HEAD_SAMPLE_BYTES } from './csv-sniff.ts';

/** What a source begins with. */
export interface CsvHead extends Omit<CsvSniffInput, 'more'> {
  /** What ended the reading behind `head`. */
  readonly failed?: { readonly error: unknown };
}

/**
 * The first bytes, as many as are looked at at least, unless that is all of them, or all in front of a failure.
 * Errors: those of the reader where nothing comes before, or that pass: whoever tries again sees the whole
 * beginning, and takes the file for the same as ever. INVALID_UTF8 for UTF-16, by its mark or by the zero beside a first ASCII character.
 */
export async function readHead(reader: ByteReader, source: string | undefined): Promise<CsvHead> {
  let head: Uint8Array = new Uint8Array(0);
  let failed: CsvHead['failed'];
  try {
    while (head.length < HEAD_SAMPLE_BYTES) {
      const piece = await reader.read(head);
      if (!piece) break;
      head = piece;
    }
  } catch (error) {
    if (head.length === 0 || isTransientError(error)) throw error;
    failed = { error };
  }
  const [first, second] = head;
  const isMarked = (first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff);
  if (isMarked || (second !== undefined && (first === 0) !== (second === 0))) {
    const place = { ...sourcePlace(source), offset: 0 };
    throw new EtlError('INVALID_UTF8', 'the first two bytes say that it is UTF-16', { place });
  }
  if (failed) return { head, whole: false, source, failed };
  return { head, whole: head.length < HEAD_SAMPLE_BYTES && !reader.endsMidLine, source };
}
