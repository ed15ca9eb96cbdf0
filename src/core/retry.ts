/**
 * Trying again: what is worth it, how long to wait in between, and when to stop. Waits are drawn
 * evenly from zero to a ceiling that doubles ("full jitter"), so that many clients which failed
 * together do not come back together. What a server says in `Retry-After` is kept to.
 */

import { unlessAborted } from './abort.ts';
import { checkCount, checkNumber } from './check-option.ts';
import { timerMs } from './timer.ts';

export interface RetryOptions {
  /** Attempts after the first. Default 5. */
  readonly retries?: number;
  /** Ceiling of the first wait in milliseconds; doubles with every failure. Default 250. */
  readonly baseDelayMs?: number;
  /** No wait of ours is longer. Default 30,000. */
  readonly maxDelayMs?: number;
  /** A server that asks for a longer wait than this is given up on. Default 300,000. */
  readonly maxRetryAfterMs?: number;
}

export interface RetryHooks {
  /** Ends the waiting with the signal's reason. What is under way is for `run` to stop. */
  readonly signal?: AbortSignal | undefined;
  /**
   * Whether an error is worth another attempt, and how long to wait at least, in milliseconds (0 if
   * nobody said); false ends it with that error. Default: `isTransientError`, at least 0.
   */
  readonly judge?: (error: unknown) => number | false;
  /** Told of every wait before it begins. */
  readonly onRetry?: (error: unknown, attempt: number, delayMs: number) => void;
  /** From 0 to below 1. Default `Math.random`. */
  readonly random?: () => number;
}

/** Errors: INVALID_ARGUMENT for a number that cannot be. */
export function checkRetry({ retries = 0, ...delays }: RetryOptions): void {
  checkCount('retries', retries, 0);
  const { baseDelayMs = 0, maxDelayMs = 0, maxRetryAfterMs = 0 } = delays;
  for (const [name, ms] of Object.entries({ baseDelayMs, maxDelayMs, maxRetryAfterMs })) {
    checkNumber(name, ms, 0);
  }
}

/**
 * Runs until it succeeds, fails for good, or has failed `retries` + 1 times; `attempt` counts from 0.
 * Errors: those of `run`, the last one, unchanged; the signal's reason.
 */
export async function retry<T>(
  run: (attempt: number) => Promise<T>,
  options: RetryOptions = {},
  hooks: RetryHooks = {},
): Promise<T> {
  const { retries = 5, maxRetryAfterMs = 300_000 } = options;
  const { signal, judge = judgeByClass, onRetry } = hooks;
  checkRetry(options);
  for (let attempt = 0; ; attempt++) {
    signal?.throwIfAborted();
    try {
      return await run(attempt);
    } catch (error) {
      signal?.throwIfAborted();
      const least = attempt < retries && judge(error);
      if (least === false || least > maxRetryAfterMs) throw error;
      const delayMs = Math.max(least, backoffMs(attempt, options, hooks.random));
      onRetry?.(error, attempt, delayMs);
      await waitMs(delayMs, signal);
    }
  }
}

/** How long to wait after the failure of `attempt` (from 0), drawn anew each time. */
export function backoffMs(
  attempt: number,
  options: RetryOptions = {},
  random: () => number = Math.random,
): number {
  const { baseDelayMs = 250, maxDelayMs = 30_000 } = options;
  return Math.floor(random() * Math.min(maxDelayMs, baseDelayMs * 2 ** attempt));
}

/** Waits, or rejects with the signal's reason. Keeps no timer behind. */
export async function waitMs(delayMs: number, signal?: AbortSignal): Promise<void> {
  signal?.throwIfAborted();
  if (delayMs <= 0) return;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const elapsed = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, timerMs(delayMs));
  });
  try {
    await unlessAborted(elapsed, signal);
  } finally {
    clearTimeout(timer);
  }
}

/** True for an HTTP status that another attempt may mend. */
export function isTransientStatus(status: number): boolean {
  if (status >= 500) return status !== 501 && status !== 505;
  return status === 408 || status === 425 || status === 429;
}

/**
 * True for what networks do by themselves: connections refused, reset, cut or too slow, names not
 * resolved for now; and for files that are busy just now (EAGAIN, EBUSY, EINTR). Looks at the error's code, and at its causes'. Time-outs made by
 * `AbortSignal.timeout` count.
 */
export function isTransientError(error: unknown): boolean {
  for (let at = error, depth = 0; at instanceof Error && depth < 8; at = at.cause, depth++) {
    if (at.name === 'TimeoutError') return true;
    const { code } = at as { code?: unknown };
    if (typeof code === 'string' && TRANSIENT.has(code)) return true;
    if (at instanceof AggregateError && at.errors.some(isTransientError)) return true;
  }
  return false;
}

/**
 * Milliseconds that a `Retry-After` header asks for: seconds or an HTTP date; undefined where it is
 * absent or says neither. A date that has passed is 0.
 */
export function parseRetryAfter(
  value: string | null | undefined,
  nowMs: number = Date.now(),
): number | undefined {
  const text = value?.trim() ?? '';
  if (/^\d+$/.test(text)) return Number(text) * 1000;
  // Date.parse takes much that is no date of HTTP's, numbers above all.
  if (!/^[A-Za-z]{3,9},? /.test(text)) return undefined;
  const at = Date.parse(text);
  return Number.isNaN(at) ? undefined : Math.max(0, at - nowMs);
}

const TRANSIENT: ReadonlySet<string> = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ECONNABORTED',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'EHOSTDOWN',
  'ENETUNREACH',
  'ENETDOWN',
  'ENETRESET',
  'EAI_AGAIN',
  'UND_ERR_CONNECT_TIMEOUT',
  'UND_ERR_HEADERS_TIMEOUT',
  'UND_ERR_BODY_TIMEOUT',
  'UND_ERR_SOCKET',
  'UND_ERR_RES_CONTENT_LENGTH_MISMATCH',
  'ERR_STREAM_PREMATURE_CLOSE',
  'HPE_INVALID_EOF_STATE',
  'EAGAIN',
  'EBUSY',
  'EINTR',
]);

const judgeByClass = (error: unknown): number | false => (isTransientError(error) ? 0 : false);
