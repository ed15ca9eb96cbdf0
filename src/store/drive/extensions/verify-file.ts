/** Whether something can be opened as a drive. */
import { stat } from 'node:fs/promises';
import { EtlError } from '../../../core/errors.ts';

/** Errors: INVALID_PATH when nothing is there, or no file. */
export async function verifyFileExistence(path: string): Promise<void> {
  const found = await stat(path).catch(() => undefined);
  if (found?.isFile()) return;
  const what = found === undefined ? 'there is no such file' : 'is no file';
  throw new EtlError('INVALID_PATH', what, { place: { path } });
}
