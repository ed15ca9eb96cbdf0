/** From paths and patterns to files, in name order. */
import { stat } from 'node:fs/promises';
import { isAbsolute } from 'node:path';
import { glob, isDynamicPattern } from 'tinyglobby';
import { EtlError } from '../core/errors.ts';

/**
 * The files that the inputs name, each input's in name order, the inputs in the order given. A path
 * that exists is taken literally, even if it holds characters of a pattern.
 * Errors: IO_ERROR naming the input for a path that is not there or a pattern without a match.
 */
export async function expandPaths(inputs: readonly string[]): Promise<string[]> {
  const files: string[] = [];
  for (const input of inputs) files.push(...(await expandPath(input)));
  return files;
}

async function expandPath(input: string): Promise<string[]> {
  const place = { path: input };
  if (input === '') throw new EtlError('INVALID_PATH', 'a path must not be empty');
  try {
    await stat(input);
    return [input];
  } catch (cause) {
    if (!isDynamicPattern(input)) {
      const code = (cause as NodeJS.ErrnoException).code ?? String(cause);
      throw new EtlError('IO_ERROR', `cannot be opened (${code})`, { place, cause });
    }
  }
  const absolute = isAbsolute(input);
  const found = await glob(input, { onlyFiles: true, absolute, expandDirectories: false });
  if (found.length === 0) throw new EtlError('IO_ERROR', 'no file matches', { place });
  // By code unit, so that the order is the same on every machine.
  return found.sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
}
