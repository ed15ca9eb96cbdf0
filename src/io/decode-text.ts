/** From bytes to text where damage must not pass for other characters. */
import { isUtf8 } from 'node:buffer';
import { EtlError } from '../core/errors.ts';

/** The bytes as text; `path` is the file's. Errors: INVALID_UTF8. */
export function decodeText(bytes: Buffer, path: string): string {
  if (isUtf8(bytes)) return bytes.toString();
  throw new EtlError('INVALID_UTF8', 'the bytes are not UTF-8', { place: { path } });
}
