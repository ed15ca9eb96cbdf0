/** The beginning of a CSV file, by which it is told how the file is written. */
import { sourcePlace } from '../core/batch.ts';
import { EtlError } from '../core/errors.ts';
import type { ByteReader } from '../core/stage.ts';
import { type CsvSniffInput, HEAD_SAMPLE_BYTES } from './csv-sniff.ts';

/**
 * The first bytes, as many as are looked at at least, unless that is all of them.
 * Errors: INVALID_UTF8 for UTF-16, by its mark or by the zero beside a first ASCII character.
 */
export async function readHead(
  reader: ByteReader,
  source: string | undefined,
): Promise<Omit<CsvSniffInput, 'more'>> {
  let head: Uint8Array = new Uint8Array(0);
  while (head.length < HEAD_SAMPLE_BYTES) {
    const piece = await reader.read(head);
    if (!piece) break;
    head = piece;
  }
  const [first, second] = head;
  const isMarked = (first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff);
  if (isMarked || (second !== undefined && (first === 0) !== (second === 0))) {
    const place = { ...sourcePlace(source), offset: 0 };
    throw new EtlError('INVALID_UTF8', 'the first two bytes say that it is UTF-16', { place });
  }
  return { head, whole: head.length < HEAD_SAMPLE_BYTES && !reader.endsMidLine, source };
}
