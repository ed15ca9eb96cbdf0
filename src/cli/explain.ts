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
  const lines = [`${prefix}${withSystemReason(first!, error)}${adviceOf(error)}`, ...more];
  return `${lines.join('\n')}\n`;
}

/** Codes whose message, with the operating system's or the server's words, says all that there is. */
const TOLD: ReadonlySet<string> = new Set(['INVALID_ARGUMENT', 'IO_ERROR', 'HTTP_ERROR']);

function adviceOf({ code, advice }: EtlError): string {
  return TOLD.has(code) ? '' : ` (${advice})`;
}

/** With the operating system's own words, in place of its bare code. */
function withSystemReason(message: string, { cause }: EtlError): string {
  if (!(cause instanceof Error) || !('syscall' in cause)) return message;
  const reason = cause.message.split('\n')[0]!;
  const bare = message.replace(` (${(cause as NodeJS.ErrnoException).code})`, '');
  // A message that has them may name another path: that which a temporary one stands for.
  const [words] = reason.split(', ');
  return bare.includes(words!) ? bare : `${bare}: ${reason}`;
}

function stackOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause === undefined ? '' : `\ncaused by: ${stackOf(error.cause)}`;
  return `${error.stack ?? error.message}${cause}`;
}
