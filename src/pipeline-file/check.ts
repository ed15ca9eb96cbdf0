/**
 * Holds a value against a form. Every fault is reported with the way to it; what comes back is the
 * value as stages take it: expressions read, sizes in bytes, stages as plans to build later.
 */
import { type ErrorCode, EtlError, isEtlError, type Place } from '../core/errors.ts';
import { parseExpression } from '../core/expression.ts';
import { parseSize } from '../core/size.ts';
import { isCollectionName } from '../store/names.ts';
import { suggestion } from './nearest.ts';
import { describeSchema, type Schema } from './schema.ts';

/** Field names and positions that lead from the top of a file to a value. */
export type Way = readonly (string | number)[];

/** What is wrong, and where. */
export interface Fault {
  readonly way: Way;
  readonly problem: string;
  /** Default INVALID_ARGUMENT. */
  readonly code?: ErrorCode;
  /** It is the name that is wrong, not the value. */
  readonly atName?: boolean;
}

/** What checking needs beside form and value. */
export interface CheckContext {
  readonly report: (fault: Fault) => void;
  /** True for a text that came from variables: never shown, and a number where one is wanted. */
  readonly isFilled: (way: Way) => boolean;
  /**
   * Where a text came from variables: it as an expression with their values as literals; undefined after a
   * report that one cannot be.
   */
  readonly expressionAt: (way: Way) => string | undefined;
  /** True where a variable that is not set, or something that is no variable, stands in a text there or below. */
  readonly hasUnfilled: (way: Way) => boolean;
  /** Reads a stage of a kind. */
  readonly stage: (kind: StageKind, value: unknown, way: Way) => unknown;
}

/** Sources, transforms or sinks. */
export type StageKind = 'source' | 'transform' | 'sink';

/**
 * The value as stages take it; what is faulty comes back as it is, after the report. Nothing is said of a text
 * without its variables, which is not the value that is meant.
 */
export function checkValue(form: Schema, value: unknown, way: Way, context: CheckContext): unknown {
  if (typeof value === 'string' && context.hasUnfilled(way)) return value;
  if (form.$ref) {
    return context.stage(form.$ref.slice('#/$defs/'.length) as StageKind, value, way);
  }
  if (form.anyOf) return checkAny(form, value, way, context);
  const plain = context.isFilled(way) ? fromText(form, value) : value;
  if (!hasType(form, plain)) {
    context.report({ way, problem: mismatch(form, value, way, context) });
    return value;
  }
  if (form.type === 'array') return checkList(form, plain as unknown[], way, context);
  if (form.type === 'object') {
    return checkFields(form, plain as Record<string, unknown>, way, context);
  }
  const problem = limitProblem(form, plain);
  if (problem) context.report({ way, problem: `${nameOf(way)} ${problem}` });
  return problem ? plain : convert(form, plain, way, context);
}

/** The fields of a mapping; `name` is what to call it. */
export function checkFields(
  form: Schema,
  value: Readonly<Record<string, unknown>>,
  way: Way,
  context: CheckContext,
  name: string = nameOf(way),
): Record<string, unknown> {
  const { properties = {}, required = [], additionalProperties } = form;
  const checked: Record<string, unknown> = {};
  for (const [key, field] of Object.entries(value)) {
    const known = Object.hasOwn(properties, key) ? properties[key] : additionalProperties;
    if (known) setField(checked, key, checkValue(known, field, [...way, key], context));
    else {
      const near = suggestion(key, Object.keys(properties));
      const problem = `${name} has no ${JSON.stringify(key)}${near}`;
      context.report({ way: [...way, key], problem, atName: true });
    }
  }
  for (const key of required) {
    if (Object.hasOwn(value, key)) continue;
    context.report({ way, problem: `${name} needs ${JSON.stringify(key)}` });
  }
  return checked;
}

/** Also a field called `__proto__` is one. */
function setField(target: Record<string, unknown>, key: string, value: unknown): void {
  Object.defineProperty(target, key, {
    value,
    enumerable: true,
    configurable: true,
    writable: true,
  });
}

function checkList(form: Schema, value: unknown[], way: Way, context: CheckContext): unknown[] {
  const { items = {}, minItems = 0 } = form;
  if (value.length < minItems) context.report({ way, problem: `${nameOf(way)} is empty` });
  return value.map((item, i) => checkValue(items, item, [...way, i], context));
}

/** The one form that could be meant says what is wrong; where it could be several, the first that fits. */
function checkAny(form: Schema, value: unknown, way: Way, context: CheckContext): unknown {
  const forms = form.anyOf!;
  const filled = context.isFilled(way);
  const able = forms.filter(
    (each) => each.$ref || hasType(each, filled ? fromText(each, value) : value),
  );
  let first: Fault[] | undefined;
  for (const each of able) {
    const faults: Fault[] = [];
    const report = (fault: Fault): void => {
      faults.push(fault);
    };
    const checked = checkValue(each, value, way, { ...context, report });
    if (faults.length === 0) return checked;
    first ??= faults;
  }
  const isScalar = !Array.isArray(value) && !isMapping(value);
  const own = able.length === 1 && !(isScalar && able[0]!.pattern !== undefined);
  const problem = mismatch(form, value, way, context);
  for (const fault of own ? first! : [{ way, problem }]) context.report(fault);
  return value;
}

/** Numbers and the like can only come as text from the environment. */
function fromText({ type, enum: words }: Schema, value: unknown): unknown {
  if (typeof value !== 'string' || type === 'string') return value;
  const isScalar = type === 'integer' || type === 'number' || type === 'boolean' || words;
  if (!isScalar || words?.includes(value)) return value;
  try {
    const read: unknown = JSON.parse(value);
    return typeof read === 'number' || typeof read === 'boolean' ? read : value;
  } catch {
    return value;
  }
}

function hasType(form: Schema, value: unknown): boolean {
  const { type, enum: words } = form;
  switch (type) {
    case undefined:
      return words === undefined || words.includes(value);
    case 'integer':
      return Number.isSafeInteger(value);
    case 'number':
      return Number.isFinite(value);
    case 'array':
      return Array.isArray(value);
    case 'object':
      return isMapping(value) && mayMean(form, value);
    case 'null':
      return value === null;
    default:
      // What is left has the same name in JavaScript as in JSON Schema.
      return typeof value === type;
  }
}

/** Anything that is neither scalar nor list, which is what files and modules can hold. */
export function isMapping(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A mapping that is data; what a module makes of a class is left as it is. */
export function isPlain(value: unknown): value is Record<string, unknown> {
  return isMapping(value) && Object.getPrototypeOf(value) === Object.prototype;
}

/** Of several mappings that one is meant which has the fields that are needed, and the same tag. */
function mayMean({ required = [], properties = {} }: Schema, value: Record<string, unknown>) {
  const isOther = Object.entries(properties).some(([key, { enum: words }]) => {
    return words?.length === 1 && Object.hasOwn(value, key) && value[key] !== words[0];
  });
  const isEmpty = required.length === 0 || Object.keys(value).length === 0;
  return !isOther && (isEmpty || required.some((key) => Object.hasOwn(value, key)));
}

function limitProblem(form: Schema, value: unknown): string | undefined {
  const { minimum = Number.NEGATIVE_INFINITY, maximum = Number.POSITIVE_INFINITY } = form;
  if (typeof value === 'number') {
    if (value < minimum) return `must be at least ${minimum}`;
    return value > maximum ? `must be at most ${maximum}` : undefined;
  }
  if (typeof value !== 'string') return undefined;
  if (value.length < (form.minLength ?? 0)) return 'is empty';
  const fits = form.pattern === undefined || new RegExp(form.pattern, 'u').test(value);
  return fits ? undefined : `takes ${describeSchema(form)}`;
}

function convert(form: Schema, value: unknown, way: Way, context: CheckContext): unknown {
  if (form.format === 'size') {
    const bytes = parseSize(value as string);
    if (bytes === undefined) context.report({ way, problem: `${nameOf(way)} is no size above 0` });
    return bytes;
  }
  if (form.format === 'collection' && !isCollectionName(value)) {
    context.report({ way, problem: `${nameOf(way)} is no name for a collection` });
  }
  if (form.format !== 'where') return value;
  const text = context.isFilled(way) ? context.expressionAt(way) : (value as string);
  if (text === undefined) return value;
  try {
    return parseExpression(text);
  } catch (error) {
    if (!isEtlError(error, 'INVALID_EXPRESSION')) throw error;
    const problem = context.isFilled(way) ? `${nameOf(way)} is no expression` : error.message;
    context.report({ way, problem });
    return value;
  }
}

function mismatch(form: Schema, value: unknown, way: Way, context: CheckContext): string {
  const wanted = describeSchema(form);
  const words = form.enum ?? form.anyOf?.flatMap((each) => each.enum ?? []);
  const isShown = !context.isFilled(way) && (typeof value !== 'object' || value === null);
  const shown = JSON.stringify(value) ?? String(value);
  const found = isShown ? `, not ${shown.length > 80 ? `${shown.slice(0, 80)}…` : shown}` : '';
  const near =
    typeof value === 'string' && isShown && words ? suggestion(value, words.map(String)) : '';
  return `${nameOf(way)} takes ${wanted}${found}${near}`;
}

/** The way as a person writes it: `transforms[1].where`. */
export function nameOf(way: Way): string {
  const steps = way.map((step, i) =>
    typeof step === 'number' ? `[${step}]` : `${i === 0 ? '' : '.'}${step}`,
  );
  return steps.join('') || 'the pipeline';
}

/** The faults in the order of the file, each with its place. */
export function inOrder(
  faults: readonly Fault[],
  locate: (fault: Fault) => Place,
): (Fault & { readonly place: Place })[] {
  const placed = faults.map((fault) => ({ ...fault, place: locate(fault) }));
  return placed.sort(({ place: a }, { place: b }) => {
    return (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0);
  });
}

/** The first of the faults as an error; how many more there are is said behind it. */
export function faultError(faults: readonly Fault[], locate: (fault: Fault) => Place): EtlError {
  const { code = 'INVALID_ARGUMENT', problem, place } = inOrder(faults, locate)[0]!;
  const more = faults.length - 1;
  const rest = more > 0 ? ` (and ${more} more: zds lint shows them)` : '';
  return new EtlError(code, `${problem}${rest}`, { place });
}
