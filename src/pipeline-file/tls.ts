/** Certificates and keys as pipeline files name them: by the path of a PEM file, or as PEM. */
import { readFile } from 'node:fs/promises';
import { EtlError } from '../core/errors.ts';
import type { HttpTls } from '../io/http-transport.ts';
import { fields, option, type Schema, text } from './schema.ts';

/** What a file may say of TLS; each a path, or PEM itself. */
export interface TlsFiles {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly passphrase?: string;
}

/** The same as a form. */
export const tls: Schema = option(
  fields({
    ca: option(text, 'Authority to trust: a PEM file, or PEM from a variable.'),
    cert: option(text, 'Certificate to show, likewise.'),
    key: option(text, 'Its key, likewise.'),
    passphrase: option(text, 'Of the key.'),
  }),
  'Certificates: ca to trust; cert and key to show. PEM files, or PEM from variables.',
);

/** With the files read. Errors: IO_ERROR naming one that cannot be read. */
export async function readTls(named: TlsFiles): Promise<HttpTls> {
  const { passphrase, ...files } = named;
  const parts = Object.entries(files).map(async ([part, file]) => [part, await readPem(file)]);
  const read: HttpTls = Object.fromEntries(await Promise.all(parts));
  return passphrase === undefined ? read : { ...read, passphrase };
}

async function readPem(file: string): Promise<string> {
  if (file.trimStart().startsWith('-----BEGIN ')) return file;
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    throw new EtlError('IO_ERROR', 'cannot be read', { place: { path: file }, cause });
  }
}
