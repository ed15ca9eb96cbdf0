import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { redactUrl } from '../../../src/core/redact.ts';
import {
  backoffMs,
  isTransientError,
  isTransientStatus,
  parseRetryAfter,
  retry,
  waitMs,
} from '../../../src/core/retry.ts';

const reset = () => Object.assign(new Error('reset'), { code: 'ECONNRESET' });

describe('retry', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it('tries again after transient failures, waiting longer each time', async () => {
    const delays: number[] = [];
    const attempts: number[] = [];
    const running = retry(
      async (attempt) => {
        attempts.push(attempt);
        if (attempt < 4) throw reset();
        return 'done';
      },
      { baseDelayMs: 100, maxDelayMs: 500 },
      { random: () => 0.999_999, onRetry: (_, __, delayMs) => delays.push(delayMs) },
    );
    await vi.runAllTimersAsync();
    expect(await running).toBe('done');
    expect(attempts).toEqual([0, 1, 2, 3, 4]);
    expect(delays).toEqual([99, 199, 399, 499]);
  });

  it('gives up with the last error, unchanged', async () => {
    const errors = [reset(), reset(), reset()];
    const running = retry((attempt) => Promise.reject(errors[attempt]), { retries: 2 });
    const checked = expect(running).rejects.toBe(errors[2]);
    await vi.runAllTimersAsync();
    await checked;
  });

  it('does not repeat what is not transient', async () => {
    const run = vi.fn(() => Promise.reject(new TypeError('no')));
    await expect(retry(run)).rejects.toThrow('no');
    expect(run).toHaveBeenCalledTimes(1);
  });

  it('waits at least as long as it is told to, and not for ever', async () => {
    let failures = 0;
    const startMs = Date.now();
    const running = retry(
      () => (failures++ ? Promise.resolve(1) : Promise.reject(reset())),
      {},
      {
        judge: () => 7000,
      },
    );
    await vi.runAllTimersAsync();
    await running;
    expect(Date.now() - startMs).toBeGreaterThanOrEqual(7000);
    const hopeless = retry(
      () => Promise.reject(reset()),
      { maxRetryAfterMs: 10 },
      {
        judge: () => 11,
      },
    );
    await expect(hopeless).rejects.toThrow('reset');
  });

  it('stops waiting with the reason of the signal, without a timer left', async () => {
    const controller = new AbortController();
    const reason = new Error('enough');
    const running = retry(
      () => Promise.reject(reset()),
      {},
      {
        judge: () => 10_000,
        signal: controller.signal,
      },
    );
    const checked = expect(running).rejects.toBe(reason);
    await vi.advanceTimersByTimeAsync(5);
    controller.abort(reason);
    await checked;
    expect(vi.getTimerCount()).toBe(0);
    await expect(waitMs(0, controller.signal)).rejects.toBe(reason);
  });
});

describe('the classes of failures', () => {
  it('draws waits between nothing and the ceiling', () => {
    for (let attempt = 0; attempt < 200; attempt++) {
      const delayMs = backoffMs(attempt);
      expect(delayMs).toBeGreaterThanOrEqual(0);
      expect(delayMs).toBeLessThanOrEqual(30_000);
    }
    expect(backoffMs(3, {}, () => 0)).toBe(0);
  });

  it.each([
    [408, true],
    [425, true],
    [429, true],
    [500, true],
    [502, true],
    [503, true],
    [504, true],
    [501, false],
    [505, false],
    [400, false],
    [401, false],
    [404, false],
    [409, false],
    [413, false],
  ])('status %i: %s', (status, expected) => expect(isTransientStatus(status)).toBe(expected));

  it('finds the cause below', () => {
    expect(isTransientError(new TypeError('fetch failed', { cause: reset() }))).toBe(true);
    const tried = new AggregateError([new Error('x'), reset()]);
    expect(isTransientError(new TypeError('fetch failed', { cause: tried }))).toBe(true);
    expect(
      isTransientError(AbortSignal.timeout(0).reason ?? new DOMException('', 'TimeoutError')),
    ).toBe(true);
    expect(isTransientError(new DOMException('', 'AbortError'))).toBe(false);
    expect(isTransientError(new TypeError('Invalid URL'))).toBe(false);
    expect(isTransientError('ECONNRESET')).toBe(false);
    const round = new Error('a');
    round.cause = round;
    expect(isTransientError(round)).toBe(false);
  });

  it.each([
    ['120', 120_000],
    [' 0 ', 0],
    ['Thu, 01 Jan 1970 00:00:10 GMT', 9000],
    ['Thu, 01 Jan 1970 00:00:00 GMT', 0],
    ['Thursday, 01-Jan-70 00:00:10 GMT', 9000],
    ['-5', undefined],
    ['1.5', undefined],
    ['soon', undefined],
    ['', undefined],
    [null, undefined],
    [undefined, undefined],
  ])('Retry-After %j is %s ms', (value, expected) => {
    expect(parseRetryAfter(value, 1000)).toBe(expected);
  });
});

describe('redactUrl', () => {
  it.each([
    ['https://u:p@h.org:81/a/b?page=3&q=abc#frag', 'https://h.org:81/a/b?page=3&q=***'],
    ['https://h/?api_key=12345&since=2024-01-02', 'https://h/?api_key=***&since=2024-01-02'],
    ['https://h/x', 'https://h/x'],
    ['https://h/?X-Amz-Signature=ab&limit=100', 'https://h/?X-Amz-Signature=***&limit=100'],
    ['https://user:secret@', '(unreadable URL)'],
    ['no url', '(unreadable URL)'],
  ])('%s', (url, expected) => expect(redactUrl(url)).toBe(expected));
});
