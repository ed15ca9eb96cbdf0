/** What can be known of inputs before they are read. */
import { stat } from 'node:fs/promises';
import { isHttpUrl } from '../core/redact.ts';
import { compressionByName } from '../io/compress.ts';
import { type Compression, detectCompression, SNIFF_BYTES } from '../io/decompress.ts';
import { openFileReader } from '../io/file-reader.ts';
import { expandPaths } from '../io/glob.ts';

/** The files among inputs: paths and what patterns stand for now. Errors: those of `expandPaths`. */
export async function inputFiles(inputs: readonly string[], rejects?: string): Promise<string[]> {
  return expandPaths(
    inputs.filter((input) => !isStream(input)),
    rejects,
  );
}

/**
 * Bytes that the reading will go through, where that can be known. A run that resumes may need no more of what is
 * gone. Errors: those of `expandPaths`, unless it resumes.
 */
export async function inputBytes(
  inputs: readonly string[],
  rejects: string | undefined,
  resume = false,
): Promise<number | undefined> {
  if (inputs.some(isStream)) return undefined;
  const files = expandPaths(inputs, rejects);
  const paths = resume ? await files.catch(() => undefined) : await files;
  if (!paths || paths.some((path) => compressionByName(path) !== 'none')) return undefined;
  const sizes = paths.map(async (path) => (await stat(path)).size);
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
}

/** Standard input, or what comes over the network. */
export function isStream(input: string): boolean {
  return input === '-' || input === 'stdin' || isHttpUrl(input);
}

/** How a file is compressed, by its first bytes and its name. Errors: IO_ERROR. */
export async function sniffCompression(path: string): Promise<Compression> {
  const reader = await openFileReader(path);
  try {
    return detectCompression(await reader.peek(SNIFF_BYTES), path);
  } finally {
    await reader.close();
  }
}
