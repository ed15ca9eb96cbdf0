/**
 * The text of a pipeline file, YAML or JSON, as a value, and where in the file each part of it stands.
 * Lines and columns are those that editors show, from 1 on.
 */
import { readFile } from 'node:fs/promises';
import { extname } from 'node:path';
import type { Node, parseDocument } from 'yaml';
import { EtlError, type Place } from '../core/errors.ts';
import type { Reject } from '../core/reject.ts';
import { decodeJsonl } from '../formats/index.ts';
import { decodeText } from '../io/decode-text.ts';
import { type Fault, isPlain, type Way } from './check.ts';

/** A file's data. */
export interface ParsedFile {
  readonly value: unknown;
  /** The place of the part a fault is about, or of the nearest part around it. */
  locate(fault: Pick<Fault, 'way' | 'atName'>): Place;
}

/** A file whose name ends in .json is JSON, any other YAML. Errors: IO_ERROR, INVALID_UTF8, and INVALID_ARGUMENT with the place. */
export async function parseFile(path: string): Promise<ParsedFile> {
  const bytes = await readFile(path).catch((cause) => {
    throw new EtlError('IO_ERROR', 'cannot be read', { place: { path }, cause });
  });
  return parseText(
    decodeText(bytes, path).replace(/^\uFEFF/, ''),
    path,
    extname(path).toLowerCase() === '.json' ? 'json' : 'yaml',
  );
}

/** The same data. Errors: INVALID_ARGUMENT with the place of a list or mapping that contains itself. */
export function refuseCycles(file: ParsedFile): ParsedFile {
  const way = wayToCycle(file.value, [], []);
  if (!way) return file;
  throw new EtlError('INVALID_ARGUMENT', 'this contains itself', { place: file.locate({ way }) });
}

function wayToCycle(value: unknown, way: Way, above: readonly unknown[]): Way | undefined {
  if (!Array.isArray(value) && !isPlain(value)) return undefined;
  if (above.includes(value)) return way;
  for (const [key, item] of Object.entries(value)) {
    const found = wayToCycle(
      item,
      [...way, Array.isArray(value) ? Number(key) : key],
      [...above, value],
    );
    if (found) return found;
  }
  return undefined;
}

/** Errors: INVALID_ARGUMENT with the place for text that is no YAML, or no JSON where it has to be. */
async function parseText(text: string, path: string, format: 'yaml' | 'json'): Promise<ParsedFile> {
  const { isMap, isScalar, LineCounter, parseDocument } = await import('yaml');
  const lines = new LineCounter();
  const placeAt = (offset: number): Place => {
    const { line, col } = lines.linePos(offset);
    return { path, line: Math.max(1, line), column: Math.max(1, col) };
  };
  const fail = (problem: string, offset: number): never => {
    throw new EtlError('INVALID_ARGUMENT', problem, { place: placeAt(offset) });
  };
  // JSON is YAML, too, so the places are found by the same parser.
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  if (format === 'json') {
    const fault = await findJsonFault(text);
    if (fault) fail(fault.problem, fault.offset);
  }
  const [problem] = [...document.errors, ...document.warnings];
  if (problem) fail(problem.message, problem.pos[0]);
  return refuseCycles({
    value: readDocument(document, (message) => fail(message, 0)),
    locate({ way, atName = false }) {
      let node = document.contents as Node | null;
      let offset = node?.range?.[0] ?? 0;
      for (const [i, step] of way.entries()) {
        const pair = isMap(node)
          ? node.items.find(({ key }) => isScalar(key) && String(key.value) === String(step))
          : undefined;
        const next = document.getIn(way.slice(0, i + 1), true) as Node | undefined;
        const isLast = i === way.length - 1;
        const start = isLast && atName ? (pair?.key as Node | undefined) : next;
        const found = start?.range?.[0] ?? (pair?.key as Node | undefined)?.range?.[0];
        if (found === undefined) break;
        offset = found;
        node = next ?? null;
      }
      return placeAt(offset);
    },
  });
}

function readDocument(document: ReturnType<typeof parseDocument>, fail: (m: string) => never) {
  try {
    return document.toJS() as unknown;
  } catch (error) {
    // Aliases that multiply beyond measure.
    return fail((error as Error).message);
  }
}

/** Where the text stops being JSON. JSON.parse is the judge; the line reader knows places and reasons. */
async function findJsonFault(
  text: string,
): Promise<{ problem: string; offset: number } | undefined> {
  try {
    JSON.parse(text);
    return undefined;
  } catch (error) {
    const { message } = error as SyntaxError;
    const told = /at position (\d+)/.exec(message)?.[1];
    if (told !== undefined) {
      return { problem: message.slice(0, message.indexOf(' in JSON at')), offset: Number(told) };
    }
    const bytes = Buffer.from(text.replace(/[\r\n]/g, ' '));
    let found = { problem: 'this is no JSON', offset: 0 };
    const onError = ({ reason, place }: Reject): void => {
      const before = bytes.subarray(0, (place.column ?? 1) - 1).toString();
      found = { problem: reason, offset: before.length };
    };
    for await (const _ of decodeJsonl([bytes], { onError })) {
      // Only the fault is of interest.
    }
    return found;
  }
}
