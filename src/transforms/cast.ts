/** Turns values of some fields into values of other types, on bytes: all else stays as it was. */
import { checkChoice } from '../core/check-option.ts';
import { EtlError, functionFailed } from '../core/errors.ts';
import { refusePromise } from '../core/is-promise.ts';
import { parsePath } from '../core/path.ts';
import type { Transform } from '../core/stage.ts';
import { parseTimestamp } from '../kernels/twin/numbers.ts';
import { decodeText } from '../kernels/twin/text.ts';
import { BYTE_CASTS, type ByteCast } from './cast-bytes.ts';
import { editLines, type LineEdits } from './line-editor.ts';
import { PathTree, QUOTE, stringText, visitMembers } from './members.ts';
import { Refusal } from './reject-document.ts';
import { ValuePlaces } from './value-places.ts';

/**
 * `string`: numbers as they are written, `true` and `false`. `number`: text that is a JSON number, as
 * it is written, so that no digit is lost. `integer`: the same without a fraction. `boolean`: true
 * and false, t and f, yes and no, y and n, 1 and 0, in any case. `timestamp`: ISO 8601 text (UTC
 * where it names no zone) or milliseconds since 1970, as ISO 8601 text in UTC with milliseconds.
 */
export type CastType = 'string' | 'number' | 'integer' | 'boolean' | 'timestamp';

/** From the value that is there (never null) to the one to be; undefined refuses the document. Not async. */
export type CastFunction = (value: unknown) => unknown;

export interface CastOptions {
  /**
   * What becomes of a value that cannot be cast: its document is rejected, it becomes null, or it
   * stays as it is. Default 'reject'.
   */
  readonly onMisfit?: 'reject' | 'null' | 'keep';
  /** Empty text becomes null rather than a misfit, but for `string`. Default false. */
  readonly emptyAsNull?: boolean;
}

interface Casting {
  readonly cast: Caster;
  readonly onBytes: ByteCast | undefined;
  readonly path: string;
  /** What it is cast to, for messages. */
  readonly to: string;
  readonly keepsText: boolean;
  readonly emptyAsNull: boolean;
}

/** The JSON text of the new value; undefined if there is none. */
type Caster = (text: string, isString: boolean) => string | undefined;

/**
 * What is missing or null stays so. A path that leads through arrays applies to every object in them;
 * of a repeated key, elsewhere, to the last.
 * Errors: INVALID_ARGUMENT for a type there is not, paths within each other or a function's promise.
 * Rejects: INVALID_DOCUMENT naming the path, FUNCTION_FAILED where a function throws.
 */
export function castTransform(
  types: { readonly [path: string]: CastType | CastFunction },
  options: CastOptions = {},
): Transform {
  const { onMisfit = 'reject', emptyAsNull = false } = options;
  checkChoice('onMisfit', onMisfit, ['reject', 'null', 'keep']);
  const castings: Casting[] = [];
  const tree = new PathTree<Casting>();
  for (const [path, type] of Object.entries(types)) {
    const cast = typeof type === 'function' ? castBy(path, type) : CASTERS.get(type);
    if (!cast) throw new EtlError('INVALID_ARGUMENT', `cast: there is no type ${String(type)}`);
    const to =
      typeof type === 'function'
        ? 'the result of a function'
        : `${type === 'integer' ? 'an' : 'a'} ${type}`;
    const keepsText = type === 'string';
    const nullable = emptyAsNull && typeof type !== 'function';
    const onBytes = typeof type === 'function' ? undefined : BYTE_CASTS[type];
    const casting = { cast, onBytes, path, to, keepsText, emptyAsNull: nullable };
    tree.set(parsePath(path), casting);
    castings.push(casting);
  }
  checkDisjoint(Object.keys(types));
  const places = new ValuePlaces(castings.map(({ path }) => parsePath(path)));
  const castValue = (
    casting: Casting,
    bytes: Uint8Array,
    start: number,
    end: number,
    edits: LineEdits,
  ): void => {
    if (casting.onBytes?.(bytes, start, end, edits)) return;
    const isString = bytes[start] === QUOTE;
    const text = isString ? stringText(bytes, start, end) : decodeText(bytes, start, end);
    if (isString ? casting.keepsText : text === 'null') return;
    let made = isString && text === '' && casting.emptyAsNull ? 'null' : undefined;
    made ??= casting.cast(text, isString);
    if (made === undefined) {
      if (onMisfit === 'keep') return;
      if (onMisfit === 'reject') {
        throw new Refusal(`cast: ${casting.path} is not ${casting.to}: ${shorten(text)}`);
      }
      made = 'null';
    }
    if (made !== text || isString) edits.replace(start, end, encoder.encode(made));
  };
  return {
    name: 'cast',
    apply(batch, _signal, onReject) {
      places.read(batch.bytes());
      return editLines(batch, onReject, (bytes, lineStart, _end, edits, index) => {
        const isDone = places.visit(index, (i, start, end) =>
          castValue(castings[i]!, bytes, start, end, edits),
        );
        if (isDone) return;
        visitMembers(bytes, lineStart, tree, (casting, { valueStart, valueEnd }) =>
          castValue(casting, bytes, valueStart, valueEnd, edits),
        );
      });
    },
  };
}

function castBy(path: string, run: CastFunction): Caster {
  return (text, isString) => {
    let made: unknown;
    try {
      made = run(isString ? text : JSON.parse(text));
    } catch (error) {
      const { reason, code, cause } = functionFailed(error);
      throw new Refusal(`cast: ${path}: ${reason}`, code, cause);
    }
    refusePromise(`cast: the function of ${path}`, made);
    return made === undefined ? undefined : JSON.stringify(made);
  };
}

const NUMBER = /^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/;
const INTEGER = /^([+-]?)0*(\d+)(\.0*)?$/;
/** What needs no search for a zone. */
const PLAIN_TIMESTAMP = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,3})?Z$/;
const TRUE = /^(true|t|yes|y|1)$/i;
const FALSE = /^(false|f|no|n|0)$/i;

const CASTERS: ReadonlyMap<string, Caster> = new Map<CastType, Caster>([
  ['string', (text) => (isScalar(text) ? JSON.stringify(text) : undefined)],
  [
    'number',
    (text, isString) => {
      const trimmed = isString ? text.trim() : text;
      return NUMBER.test(trimmed) ? trimmed : undefined;
    },
  ],
  ['integer', (text, isString) => castInteger(isString ? text.trim() : text)],
  [
    'boolean',
    (text) => {
      const trimmed = text.trim();
      if (TRUE.test(trimmed)) return 'true';
      return FALSE.test(trimmed) ? 'false' : undefined;
    },
  ],
  ['timestamp', castTimestamp],
]);

function castInteger(text: string): string | undefined {
  const match = INTEGER.exec(text);
  if (match) {
    const [, sign, digits] = match;
    return sign === '-' && digits !== '0' ? `-${digits}` : digits;
  }
  if (!NUMBER.test(text)) return undefined;
  const value = Number(text);
  return Number.isSafeInteger(value) ? String(value) : undefined;
}

/** Within the years that ISO 8601 writes with four digits. */
function castTimestamp(text: string, isString: boolean): string | undefined {
  if (isString && PLAIN_TIMESTAMP.test(text)) {
    const date = new Date(text);
    const made = Number.isNaN(date.getTime()) ? '' : date.toISOString();
    // What is no day of the calendar has become another.
    if (made.slice(0, 19) === text.slice(0, 19)) return `"${made}"`;
  }
  const ms = isString ? parseTimestamp(text.trim(), 'ms') : NUMBER.test(text) ? Number(text) : NaN;
  if (ms === undefined) return undefined;
  const date = new Date(Number(ms));
  const year = date.getUTCFullYear();
  return year >= 0 && year <= 9999 ? JSON.stringify(date) : undefined;
}

function isScalar(text: string): boolean {
  return text[0] !== '{' && text[0] !== '[';
}

/** A value that is replaced has nothing left below it to be cast. */
function checkDisjoint(paths: readonly string[]): void {
  const all = paths.map((path) => parsePath(path));
  for (const outer of all) {
    const inner = all.find((path) => path !== outer && outer.every((step, i) => path[i] === step));
    if (inner) throw new EtlError('INVALID_ARGUMENT', `cast: ${inner.join('.')} is within another`);
  }
}

function shorten(text: string): string {
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}

const encoder = new TextEncoder();
