/**
 * One HTTP exchange: redirects followed and counted here, time-outs for every part of
 * it, credentials asked for when they are needed and sent to their own origin only.
 *
 * No error, place or message shows a URL's user, password or query values, nor a header's value.
 */
import { unlessAborted } from '../core/abort.ts';
import { checkLimits, checkNumber } from '../core/check-option.ts';
import { EtlError, type Place } from '../core/errors.ts';
import { redactUrl } from '../core/redact.ts';
import { isTransientError, isTransientStatus, parseRetryAfter } from '../core/retry.ts';
import { timerMs } from '../core/timer.ts';
import { type HttpTls, type RawResponse, sendByFetch, sendByNode } from './http-transport.ts';

export type HttpHeaders = Readonly<Record<string, string>>;

/** What is asked for. */
export interface HttpRequest {
  readonly url: string | URL;
  /** Default GET. */
  readonly method?: string;
  readonly headers?: HttpHeaders;
  readonly body?: string | Uint8Array;
}

export interface HttpOptions {
  /**
   * Headers of every request; a function is asked before each, and once more, with `refused`, when
   * the server has answered 401. They go to the origin asked for and to no other.
   */
  readonly headers?:
    | HttpHeaders
    | ((about: {
        readonly url: string;
        readonly refused: boolean;
      }) => HttpHeaders | Promise<HttpHeaders>);
  /**
   * For https: authorities to trust in place of those that Node knows, a certificate to show, and the
   * like. The authorities hold for every origin, the rest for the one asked for. Not for a `fetch`.
   */
  readonly tls?: HttpTls;
  /** Longest wait for an answer's headers, that for a function's `headers` included. Default 30,000. */
  readonly connectTimeoutMs?: number;
  /** Longest wait for more of the body. Default 30,000. */
  readonly idleTimeoutMs?: number;
  /** Longest time for one exchange, body included. Default none. */
  readonly totalTimeoutMs?: number;
  /** Default 10. */
  readonly maxRedirects?: number;
  /** Longest body as it comes, in bytes. Default none. */
  readonly maxBodyBytes?: number;
  /**
   * Sends the requests. Default Node's client, which finds every broken body; a `fetch` takes some
   * for whole when the server names no length.
   */
  readonly fetch?: typeof fetch;
}

/** An answer whose body has not been read. */
export interface Exchange {
  readonly response: RawResponse;
  /** Where it came from, behind redirects; without user and password. */
  readonly url: URL;
  /** The body in chunks; leaving the loop ends the exchange. Errors: HTTP_ERROR, LIMIT_EXCEEDED, the signal's reason. */
  chunks(): AsyncGenerator<Uint8Array, void, void>;
  /** Ends the exchange without reading on. */
  close(): Promise<void>;
}

/** An answer that is not what was asked for. */
class StatusError extends EtlError {
  readonly status: number;
  readonly retryAfterMs: number | undefined;

  constructor(response: RawResponse, place: Place) {
    super('HTTP_ERROR', `answered ${response.status} ${response.statusText}`.trimEnd(), { place });
    this.status = response.status;
    this.retryAfterMs = parseRetryAfter(response.headers.get('retry-after'));
  }
}

/** For `retry`: whether the exchange is worth another attempt, and after how many milliseconds. */
export function judgeExchange(error: unknown): number | false {
  if (error instanceof StatusError) {
    return isTransientStatus(error.status) ? (error.retryAfterMs ?? 0) : false;
  }
  return isTransientError(error) ? 0 : false;
}

/** Errors: INVALID_ARGUMENT for a limit that cannot be. */
export function checkHttpOptions(options: HttpOptions): void {
  const { connectTimeoutMs = 1, idleTimeoutMs = 1, totalTimeoutMs = 1, maxBodyBytes = 1 } = options;
  checkLimits({ connectTimeoutMs, idleTimeoutMs, totalTimeoutMs, maxBodyBytes });
  checkNumber('maxRedirects', options.maxRedirects ?? 0, 0);
}

/** A URL and the credentials that stood in it. Errors: INVALID_ARGUMENT. */
export function parseUrl(input: string | URL): { url: URL; headers: HttpHeaders } {
  let url: URL;
  try {
    url = new URL(input);
  } catch {
    throw new EtlError('INVALID_ARGUMENT', 'a URL cannot be read');
  }
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw new EtlError('INVALID_ARGUMENT', `a URL must be http or https, not ${url.protocol}`);
  }
  const { username, password } = url;
  if (username === '' && password === '') return { url, headers: {} };
  url.username = '';
  url.password = '';
  // Byte by byte: a % that encodes nothing stands for itself, and not all bytes are UTF-8.
  const user = `${username}:${password}`.replace(/%([0-9a-f]{2})/gi, (_, hex) => {
    return String.fromCharCode(Number.parseInt(hex, 16));
  });
  return {
    url,
    headers: { authorization: `Basic ${Buffer.from(user, 'latin1').toString('base64')}` },
  };
}

/**
 * Sends a request and resolves when the headers of the answer are there. `extra` are headers that
 * every origin may see; `accept` statuses beside 2xx that are answers too.
 * Errors: HTTP_ERROR naming the redacted URL; INVALID_ARGUMENT; the signal's reason.
 */
export async function exchange(
  request: HttpRequest,
  options: HttpOptions,
  signal: AbortSignal,
  extra: HttpHeaders = {},
  accept: readonly number[] = [],
): Promise<Exchange> {
  const { maxRedirects = 10, connectTimeoutMs = 30_000, totalTimeoutMs } = options;
  const life = new Life(signal);
  life.limit(totalTimeoutMs, 'the exchange took too long');
  const connecting = life.limit(connectTimeoutMs, 'no answer came in time');
  const parsed = parseUrl(request.url);
  const { origin } = parsed.url;
  let { url } = parsed;
  let { method = 'GET', body } = request;
  let refused = false;
  try {
    for (let redirects = 0; ; ) {
      signal.throwIfAborted();
      const own = url.origin === origin;
      const asking = own ? askHeaders(options, url, refused) : {};
      const asked = await unlessAborted(asking, life.signal);
      const mine = own ? { ...parsed.headers, ...request.headers, ...asked } : {};
      const headers = makeHeaders({ ...mine, ...extra }, url);
      const tls = own ? options.tls : { ca: options.tls?.ca };
      const raw = { method, headers, body, signal: life.signal, tls };
      const response = await (options.fetch
        ? sendByFetch(options.fetch, url, raw)
        : sendByNode(url, raw));
      const { status } = response;
      const location = REDIRECTS.has(status) ? response.headers.get('location') : null;
      if (location !== null) {
        await response.cancel();
        if (++redirects > maxRedirects) {
          throw failure(url, `redirected more than ${maxRedirects} times`);
        }
        url = redirectTo(location, url);
        if (status === 303 || (status < 303 && method === 'POST')) {
          method = 'GET';
          body = undefined;
        }
      } else if (status === 401 && !refused && own && typeof options.headers === 'function') {
        await response.cancel();
        refused = true;
      } else if (isGood(status, extra) || accept.includes(status)) {
        connecting.end();
        return answer(response, url, life, options);
      } else {
        await response.cancel();
        throw new StatusError(response, { url: redactUrl(url) });
      }
    }
  } catch (cause) {
    life.end();
    throw life.explain(cause, url);
  }
}

/** A part is an answer only to who asked for it: it would pass for the whole. */
function isGood(status: number, { range }: HttpHeaders): boolean {
  return status >= 200 && status < 300 && (status !== 206 || range !== undefined);
}

function answer(response: RawResponse, url: URL, life: Life, options: HttpOptions): Exchange {
  const { idleTimeoutMs = 30_000, maxBodyBytes = Number.POSITIVE_INFINITY } = options;
  async function* chunks(): AsyncGenerator<Uint8Array, void, void> {
    const iterator = response.chunks[Symbol.asyncIterator]();
    let bytes = 0;
    try {
      for (;;) {
        const idle = life.limit(idleTimeoutMs, 'nothing more came in time');
        const step = await unlessAborted(iterator.next(), life.signal).finally(idle.end);
        if (step.done) return;
        bytes += step.value.byteLength;
        if (bytes > maxBodyBytes) throw tooLong(url, maxBodyBytes);
        yield step.value;
      }
    } catch (cause) {
      throw life.explain(cause, url);
    } finally {
      await close();
    }
  }
  const close = async (): Promise<void> => {
    life.end();
    await response.cancel();
  };
  return { response, url, chunks, close };
}

/** The signal of one exchange: fires with the caller's, or when a time limit has passed. */
class Life {
  readonly #controller = new AbortController();
  readonly #outer: AbortSignal;
  readonly #ends = new Set<() => void>();

  constructor(outer: AbortSignal) {
    this.#outer = outer;
    const stop = (): void => {
      // Nobody may be left to end it.
      this.end();
      this.#controller.abort(outer.reason);
    };
    if (outer.aborted) stop();
    else outer.addEventListener('abort', stop, { once: true });
    this.#ends.add(() => outer.removeEventListener('abort', stop));
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  limit(ms: number | undefined, what: string): { end: () => void } {
    if (ms === undefined) return { end: () => {} };
    const timer = setTimeout(() => {
      this.#controller.abort(new DOMException(`${what} (${ms} ms)`, 'TimeoutError'));
    }, timerMs(ms));
    const end = (): void => {
      clearTimeout(timer);
      this.#ends.delete(end);
    };
    this.#ends.add(end);
    return { end };
  }

  /** The error that a failure of the exchange is. Errors: the reason of the caller's signal. */
  explain(cause: unknown, url: URL): EtlError {
    this.#outer.throwIfAborted();
    if (cause instanceof EtlError) return cause;
    const { aborted, reason } = this.#controller.signal;
    const actual = aborted ? reason : cause;
    return failure(url, whatFailed(actual), actual);
  }

  end(): void {
    for (const end of this.#ends) end();
  }
}

const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

function redirectTo(location: string, from: URL): URL {
  try {
    return parseUrl(new URL(location, from)).url;
  } catch {
    throw failure(from, 'redirected to what is no usable URL');
  }
}

async function askHeaders(options: HttpOptions, url: URL, refused: boolean): Promise<HttpHeaders> {
  const { headers = {} } = options;
  return typeof headers === 'function' ? headers({ url: url.href, refused }) : headers;
}

/** What Headers says of a bad value shows the value. */
function makeHeaders(headers: HttpHeaders, url: URL): Headers {
  const made = new Headers();
  for (const [name, value] of Object.entries(headers)) {
    try {
      made.set(name, value);
    } catch {
      const place = { url: redactUrl(url) };
      throw new EtlError('INVALID_ARGUMENT', `the header ${name} is not usable`, { place });
    }
  }
  return made;
}

function whatFailed(cause: unknown): string {
  const { name, message, cause: inner } = cause as Error;
  if (name === 'TimeoutError') return message;
  const { code } = { ...(cause as { code?: string }), ...(inner as { code?: string } | undefined) };
  return code === undefined ? 'the download failed' : `the download failed (${code})`;
}

/** The error for a body over `maxBodyBytes`. */
export function tooLong(url: URL, maxBodyBytes: number): EtlError {
  const what = `longer than ${maxBodyBytes} bytes; raise maxBodyBytes`;
  return new EtlError('LIMIT_EXCEEDED', what, { place: { url: redactUrl(url) } });
}

function failure(url: URL, what: string, cause?: unknown): EtlError {
  const place = { url: redactUrl(url) };
  return new EtlError('HTTP_ERROR', what, cause === undefined ? { place } : { place, cause });
}
