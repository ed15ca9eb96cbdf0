/** Checks of options: a misspelt or an impossible one must not pass for another. */
import { EtlError } from './errors.ts';
import { type Path, type PathInput, parsePath } from './path.ts';

/** Answers `value`. Errors: INVALID_ARGUMENT where it is none of the choices. */
export function checkChoice<T extends string>(name: string, value: T, choices: readonly T[]): T {
  if (choices.includes(value)) return value;
  const text = `${name} must be one of ${choices.join(', ')}, not ${JSON.stringify(value)}`;
  throw new EtlError('INVALID_ARGUMENT', text);
}

/** Answers `value`. Errors: INVALID_ARGUMENT where it is neither true nor false. */
export function checkFlag(name: string, value: boolean): boolean {
  if (typeof value === 'boolean') return value;
  throw new EtlError('INVALID_ARGUMENT', `${name} must be true or false, not ${value}`);
}

/** Answers `value`. Errors: INVALID_ARGUMENT where it is no array: a text is one of characters, to who takes its parts. */
export function checkList<T>(name: string, value: readonly T[]): readonly T[] {
  if (Array.isArray(value)) return value;
  throw new EtlError('INVALID_ARGUMENT', `${name} must be an array, not ${JSON.stringify(value)}`);
}

/** Answers the fields. Errors: INVALID_ARGUMENT where it is no path. */
export function checkPath(name: string, value: PathInput): Path {
  try {
    return parsePath(value);
  } catch (cause) {
    throw new EtlError('INVALID_ARGUMENT', `${name}: ${(cause as Error).message}`, { cause });
  }
}

/** Answers `value`. Errors: INVALID_ARGUMENT where it is no whole number from `least` to `most`. */
export function checkCount(
  name: string,
  value: number,
  least = 1,
  most: number = Infinity,
): number {
  if (Number.isSafeInteger(value) && value >= least && value <= most) return value;
  const text = `${name} must be a whole number ${rangeText(least, most)}, not ${value}`;
  throw new EtlError('INVALID_ARGUMENT', text);
}

/** Answers `value`. Errors: INVALID_ARGUMENT where it is no number from `least` to `most`. */
export function checkNumber(
  name: string,
  value: number,
  least: number,
  most: number = Infinity,
): number {
  if (typeof value === 'number' && value >= least && value <= most) return value;
  const text = `${name} must be a number ${rangeText(least, most)}, not ${value}`;
  throw new EtlError('INVALID_ARGUMENT', text);
}

/** Answers `value`. Errors: INVALID_ARGUMENT where it is no number above 0. */
export function checkPositive(name: string, value: number): number {
  if (typeof value === 'number' && value > 0) return value;
  throw new EtlError('INVALID_ARGUMENT', `${name} must be above 0, not ${value}`);
}

/** Limits by their names. Errors: INVALID_ARGUMENT where one is no number from 1 on. */
export function checkLimits(limits: Readonly<Record<string, number>>): void {
  for (const [name, value] of Object.entries(limits)) checkNumber(name, value, 1);
}

function rangeText(least: number, most: number): string {
  return most === Infinity ? `from ${least} on` : `from ${least} to ${most}`;
}
