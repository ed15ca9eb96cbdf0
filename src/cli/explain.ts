/**
 * Errors for people: one line with the place first (`file:line:column`, which terminals link), what
 * is wrong, and what to do. A stack only where it was asked for.
 */
import { type EtlError, isEtlError } from '../core/errors.ts';

/** 1 for a failure; 2 when the command itself was not usable. */
export function exitCodeOf(error: unknown): number {
  return isEtlError(error, 'INVALID_ARGUMENT') || isEtlError(error, 'INVALID_EXPRESSION') ? 2 : 1;
}

/** What to print, newline included. */
export function explainError(error: unknown, debug: boolean): string {
  if (debug) return `${stackOf(error)}\n`;
  if (!isEtlError(error)) {
    const message = error instanceof Error ? error.message : String(error);
    return `zds: ${message.split('\n')[0]} (unexpected; --debug shows where)\n`;
  }
  const [first, ...more] = error.message.split('\n');
  const { path, url } = error.place;
  const prefix = (path ?? url) ? '' : 'zds: ';
  // What INVALID_ARGUMENT advises is what its messages say already.
  const advice = error.code === 'INVALID_ARGUMENT' ? '' : ` (${error.advice})`;
  const lines = [`${prefix}${first}${systemReason(error)}${advice}`, ...more];
  return `${lines.join('\n')}\n`;
}

/** The operating system's own words, which say what the advice cannot. */
function systemReason(error: EtlError): string {
  const { cause } = error;
  if (!(cause instanceof Error) || !('syscall' in cause)) return '';
  const { code = cause.message } = cause as NodeJS.ErrnoException;
  return error.message.includes(code) ? '' : `: ${cause.message.split('\n')[0]}`;
}

function stackOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause === undefined ? '' : `\ncaused by: ${stackOf(error.cause)}`;
  return `${error.stack ?? error.message}${cause}`;
}
