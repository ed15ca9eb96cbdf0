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
  const lines = [`${prefix}${first}${systemReason(error)} (${error.advice})`, ...more];
  return `${lines.join('\n')}\n`;
}

/** The operating system's own words, which say what the advice cannot. */
function systemReason(error: EtlError): string {
  const { cause } = error;
  if (!(cause instanceof Error) || !('syscall' in cause)) return '';
  return error.message.includes(cause.message) ? '' : `: ${cause.message.split('\n')[0]}`;
}

function stackOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause === undefined ? '' : `\ncaused by: ${stackOf(error.cause)}`;
  return `${error.stack ?? error.message}${cause}`;
}
