/**
 * Modules that a user wrote, in JavaScript or TypeScript. TypeScript is left to Node where it strips
 * types itself (22.18 and later) or to whatever loader the process was started with; else the
 * `typescript` package that the module's own folder resolves takes the types away, file by file.
 */
import { stat } from 'node:fs/promises';
import * as nodeModule from 'node:module';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { EtlError } from '../core/errors.ts';

let imports = 0;

/**
 * Imports a module: anew if it has changed, or in any case. What it imports itself is loaded once.
 * Errors: IO_ERROR naming the file; UNSUPPORTED for TypeScript where nothing reads it;
 * INVALID_ARGUMENT with the cause for what fails while it is loaded.
 */
export async function importModule(path: string, anew = false): Promise<Record<string, unknown>> {
  const place = { path };
  let url: string;
  try {
    const { mtimeMs } = await stat(path);
    url = `${pathToFileURL(resolve(path))}?${mtimeMs}${anew ? `-${imports++}` : ''}`;
  } catch (cause) {
    throw new EtlError('IO_ERROR', `cannot be read: ${(cause as Error).message}`, { place, cause });
  }
  try {
    return await importUrl(url, path);
  } catch (cause) {
    if (cause instanceof EtlError) throw cause;
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new EtlError('INVALID_ARGUMENT', `cannot be loaded: ${reason}`, { place, cause });
  }
}

/** A function that a module exports. Errors: those of `importModule`; INVALID_ARGUMENT. */
export async function importExport(path: string, name: string): Promise<unknown> {
  const found = (await importModule(path))[name];
  if (typeof found === 'function') return found;
  throw new EtlError('INVALID_ARGUMENT', `exports no function ${name}`, { place: { path } });
}

async function importUrl(url: string, path: string): Promise<Record<string, unknown>> {
  try {
    return await import(url);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_UNKNOWN_FILE_EXTENSION') throw error;
    registerTypescript(path);
    // Under the same name it would fail as before.
    return await import(`${url}-typescript`);
  }
}

let registered = false;

function registerTypescript(path: string): void {
  if (registered) return;
  let compiler: string;
  try {
    if (!('register' in nodeModule)) throw new Error('Node 20.6 has it first');
    compiler = nodeModule.createRequire(resolve(path)).resolve('typescript');
  } catch {
    const ways = 'Node 22.18 or later, or the package typescript installed beside it, does';
    throw new EtlError('UNSUPPORTED', `this Node does not read TypeScript; ${ways}`, {
      place: { path },
    });
  }
  registered = true;
  nodeModule.register(`data:text/javascript,${encodeURIComponent(HOOKS)}`, { data: { compiler } });
}

/** Runs in a thread of its own, so it is text. */
const HOOKS = `
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
let ts;
export function initialize({ compiler }) {
  ts = createRequire(compiler)(compiler);
}
export async function load(url, context, next) {
  const { pathname } = new URL(url);
  if (!/\\.m?ts$/.test(pathname)) return next(url, context);
  const fileName = fileURLToPath(url);
  const { outputText } = ts.transpileModule(await readFile(fileName, 'utf8'), {
    fileName,
    compilerOptions: { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 },
  });
  return { format: 'module', source: outputText, shortCircuit: true };
}
`;
