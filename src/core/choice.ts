/** Options that are one of some words: a misspelt one must not pass for the default. */
import { EtlError } from './errors.ts';

/** Answers `value`. Errors: INVALID_ARGUMENT where it is none of the choices. */
export function checkChoice<T extends string>(name: string, value: T, choices: readonly T[]): T {
  if (choices.includes(value)) return value;
  const text = `${name} must be one of ${choices.join(', ')}, not ${JSON.stringify(value)}`;
  throw new EtlError('INVALID_ARGUMENT', text);
}
