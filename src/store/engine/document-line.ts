/**
 * A document's file as the line that a collection in lines would store: `_id` in front, then the members
 * as they stand in the file (digits, escapes, order), without the space between them.
 */
import { betweenStrings } from '../../core/between-strings.ts';
import { EtlError } from '../../core/errors.ts';
import type { Kernel } from '../../kernels/index.ts';
import { onlyFirstId } from '../prepare.ts';
import { parseFile } from './documents.ts';

const SPACE = /[ \t\r\n\ufeff]+/g;

/**
 * The line, without its end. Errors, naming the file at `path`: JSON_ERROR, NOT_AN_OBJECT,
 * NESTING_TOO_DEEP.
 */
export function documentLine(id: string, text: string, path: string, kernel: Kernel): Uint8Array {
  const document = parseFile(text, path);
  const members = Buffer.from(betweenStrings(text, (between) => between.replace(SPACE, '')));
  const [bad] = kernel.lines(members).bad;
  if (bad) throw new EtlError(bad.code, bad.reason, { place: { path } });
  const head = Buffer.from(`{"_id":${JSON.stringify(id)}`);
  const comma = Buffer.from(members.length > '{}'.length ? ',' : '');
  const line = Buffer.concat([head, comma, members.subarray(1)]);
  // The file's name is the id, whatever somebody wrote into it.
  return Object.hasOwn(document, '_id') ? onlyFirstId(line, head.length) : line;
}
