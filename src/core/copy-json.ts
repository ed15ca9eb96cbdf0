/** Copies of values that others may go on changing. */
import { EtlError } from './errors.ts';

/** A copy of a value, as JSON keeps it. Errors: INVALID_ARGUMENT for one that JSON cannot hold, naming it. */
export function copyJson<T>(name: string, value: T): T {
  let text: string | undefined;
  let cause: unknown = `it is ${typeof value === 'number' ? value : `a ${typeof value}`}`;
  try {
    text = JSON.stringify(value);
  } catch (error) {
    cause = error;
  }
  if (text !== undefined && (text !== 'null' || value === null)) return JSON.parse(text) as T;
  const reason = cause instanceof Error ? cause.message : cause;
  throw new EtlError('INVALID_ARGUMENT', `${name} cannot be written as JSON: ${reason}`, { cause });
}
