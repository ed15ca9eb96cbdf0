/** From paths and patterns to files, in name order. */
import { stat } from 'node:fs/promises';
import { isAbsolute } from 'node:path';
import { fileURLToPath } from 'node:url';
import { glob, isDynamicPattern } from 'tinyglobby';
import { EtlError } from '../core/errors.ts';
import { fileIdentity } from './file-identity.ts';

/**
 * The files that the inputs name, each input's in name order, the inputs in the order given. A `file:` URL
 * stands for its path. A path that exists is taken literally, even if it holds characters of a pattern. The dead-letter file of the run that
 * reads them, `rejects`, is left out of what patterns match.
 * Errors: IO_ERROR naming the input for a path that is not there or a pattern without a match; INVALID_PATH for an
 * empty path and a URL of another machine; INVALID_ARGUMENT for a path that leads to `rejects`.
 */
export async function expandPaths(
  inputs: readonly string[],
  rejects?: string | undefined,
): Promise<string[]> {
  const leftOut = rejects === undefined ? undefined : await fileIdentity(rejects);
  const files: string[] = [];
  for (const each of inputs) {
    const input = pathOf(each);
    let found = await expandPath(input);
    if (leftOut !== undefined) found = await leaveOut(leftOut, found, input);
    files.push(...found);
  }
  return files;
}

function pathOf(input: string): string {
  if (!input.startsWith('file:')) return input;
  try {
    return fileURLToPath(input);
  } catch (cause) {
    throw new EtlError('INVALID_PATH', 'is the URL of no file here', {
      place: { path: input },
      cause,
    });
  }
}

async function leaveOut(identity: string, files: string[], input: string): Promise<string[]> {
  const identities = await Promise.all(files.map(fileIdentity));
  const place = { path: input };
  if (files[0] === input && identities[0] === identity) {
    const problem = 'is read, and so cannot be where bad records go';
    throw new EtlError('INVALID_ARGUMENT', problem, { place });
  }
  const rest = files.filter((_, i) => identities[i] !== identity);
  if (rest.length === 0) throw new EtlError('IO_ERROR', 'no file matches', { place });
  return rest;
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
