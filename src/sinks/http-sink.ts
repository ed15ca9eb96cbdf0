/**
 * Documents to a service, as bodies of JSON Lines or JSON arrays.
 *
 * A request that fails for now (connection, time-out, 408, 425, 429, 5xx) is sent again with the same
 * `Idempotency-Key`, so that a service which keeps to it takes every document once; others take a
 * request again whose answer was lost. Redirects are not followed: they may turn a POST into a GET.
 *
 * In flight at most: `concurrency` requests, each of at most `maxBytes`, and one batch. What headers
 * and URL say in secret stands in no message.
 */
import { randomBytes } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { unlessAborted } from '../core/abort.ts';
import type { Batch } from '../core/batch.ts';
import { checkChoice, checkLimits } from '../core/check-option.ts';
import { EtlError } from '../core/errors.ts';
import { redactUrl } from '../core/redact.ts';
import {
  isTransientError,
  isTransientStatus,
  parseRetryAfter,
  type RetryOptions,
  retry,
} from '../core/retry.ts';
import type { Sink } from '../core/stage.ts';
import { timerMs } from '../core/timer.ts';
import { parseUrl } from '../io/http-exchange.ts';
import { type HttpTls, type RawResponse, sendByFetch, sendByNode } from '../io/http-transport.ts';
import { sharedKernel } from '../kernels/index.ts';
import { SinkStream } from '../streams/sink-stream.ts';
import { cut } from '../transforms/batch.ts';

export type HeaderInput = { readonly [name: string]: string };

export interface HttpSinkOptions {
  /** Default 'POST'. */
  readonly method?: 'POST' | 'PUT' | 'PATCH';
  /**
   * Headers of every request, or a function that gives them, asked before each attempt: `refresh` is
   * true after a 401, which is tried again once then.
   */
  readonly headers?: HeaderInput | ((refresh: boolean) => HeaderInput | Promise<HeaderInput>);
  /** The body: a line per document, or one array. Default 'jsonl'. */
  readonly format?: 'jsonl' | 'json';
  /** Compresses bodies. Default 'none'. */
  readonly compression?: 'none' | 'gzip';
  /** Most documents in a request. Default 1,000. */
  readonly maxDocuments?: number;
  /** Most bytes of documents in a request, unless one alone has more. Default 1 MiB. */
  readonly maxBytes?: number;
  /** Requests under way at a time; with more than one they may arrive in any order. Default 1. */
  readonly concurrency?: number;
  /** For one attempt, from asking a function for headers until the answer's are there. Default 30,000. */
  readonly timeoutMs?: number;
  readonly retry?: RetryOptions;
  /**
   * For https: authorities to trust in place of those that Node knows, a certificate to show, and the
   * like. Not for a `fetch`.
   */
  readonly tls?: HttpTls;
  /** Sends the requests. Default Node's client. */
  readonly fetch?: typeof fetch;
  /**
   * What the keys of requests begin with; behind it stand the request's number and a hash of its
   * documents. A name that stays the same makes a repeated run repeat its keys if its batches are the same:
   * a request holds documents of one batch, and what pauses is cut into batches where it pauses. With
   * `maxDocuments` of 1 the documents are enough. Default: random.
   */
  readonly idempotencyPrefix?: string;
  /** Stops the work with ABORTED. */
  readonly signal?: AbortSignal;
}

export interface HttpSinkSummary {
  readonly documents: number;
  readonly requests: number;
  /** Attempts beyond the first of each request. */
  readonly retries: number;
  /** Of bodies, compressed if they are, each counted once. */
  readonly bytesSent: number;
}

/**
 * Every document has been taken (status 2xx) when the sink has finished; what was taken before a
 * failure stays taken.
 *
 * Errors: HTTP_ERROR with the status and the place of the request's first document, INVALID_ARGUMENT
 * for a URL or header that cannot be, ABORTED.
 */
export function httpSink(
  url: string | URL,
  options: HttpSinkOptions = {},
): SinkStream<HttpSinkSummary> {
  const { signal } = options;
  const sink = createHttpSink(url, options);
  return new SinkStream(sink, sharedKernel().codec, signal ? { signal } : {});
}

/** The same without the stream around it. */
export function createHttpSink(
  url: string | URL,
  options: Omit<HttpSinkOptions, 'signal'> = {},
): Sink<HttpSinkSummary> {
  return new HttpSink(url, options);
}

/** A failure of one attempt, and what the server said about the next. */
class Refused extends Error {
  readonly status: number;
  readonly retryAfterMs: number;

  constructor(status: number, retryAfterMs: number) {
    super(`the server answered ${status}`);
    this.status = status;
    this.retryAfterMs = retryAfterMs;
  }
}

/** A failure of one attempt to which there was no answer. */
class Unanswered extends Error {
  constructor(cause: unknown) {
    const code = (cause as { code?: unknown }).code;
    super(`the server could not be reached${code === undefined ? '' : ` (${code})`}`, { cause });
  }
}

const NOTHING = { documents: 0, requests: 0, retries: 0, bytesSent: 0 };

class HttpSink implements Sink<HttpSinkSummary> {
  readonly name = 'httpSink';
  readonly #url: URL;
  readonly #shown: string;
  readonly #login: HeaderInput;
  readonly #options: Omit<HttpSinkOptions, 'signal'>;
  readonly #limits: { documents: number; bytes: number; concurrency: number; timeoutMs: number };
  #prefix = '';
  #controller = new AbortController();
  readonly #under = new Set<Promise<void>>();
  #total = NOTHING;
  #failure: { readonly error: unknown } | undefined;
  #unwatch = (): void => {};

  constructor(url: string | URL, options: Omit<HttpSinkOptions, 'signal'>) {
    this.#shown = redactUrl(url);
    // User and password go into a header: `fetch` refuses them, with the URL in its message.
    const parsed = parseUrl(url);
    this.#url = parsed.url;
    this.#login = parsed.headers;
    this.#options = options;
    const { maxDocuments: documents = 1000, maxBytes: bytes = 1 << 20 } = options;
    const { concurrency = 1, timeoutMs = 30_000 } = options;
    this.#limits = { documents, bytes, concurrency, timeoutMs };
    checkLimits({ maxDocuments: documents, maxBytes: bytes, concurrency, timeoutMs });
    const { method = 'POST', format = 'jsonl', compression = 'none' } = options;
    checkChoice('method', method, ['POST', 'PUT', 'PATCH']);
    checkChoice('format', format, ['jsonl', 'json']);
    checkChoice('compression', compression, ['none', 'gzip']);
    if (typeof options.headers === 'object') checkHeaders(options.headers);
  }

  async open(signal: AbortSignal): Promise<void> {
    const { idempotencyPrefix = randomBytes(12).toString('hex') } = this.#options;
    this.#prefix = idempotencyPrefix;
    this.#total = { ...NOTHING };
    this.#failure = undefined;
    const controller = new AbortController();
    this.#controller = controller;
    // One listener for each request under way is no leak.
    setMaxListeners(0, controller.signal);
    const stop = (): void => controller.abort(signal.reason);
    if (signal.aborted) stop();
    signal.addEventListener('abort', stop, { once: true });
    this.#unwatch = () => signal.removeEventListener('abort', stop);
  }

  async write(batch: Batch): Promise<void> {
    for (const piece of cut(batch, this.#limits.documents, this.#limits.bytes)) {
      while (this.#under.size >= this.#limits.concurrency) await Promise.race(this.#under);
      this.#rethrow();
      const sending = this.#send(piece, this.#total.requests++).catch((error) => {
        this.#failure ??= { error };
        // What is under way would only delay it.
        this.#controller.abort(error);
      });
      const under = sending.finally(() => this.#under.delete(under));
      this.#under.add(under);
    }
  }

  async finish(): Promise<HttpSinkSummary> {
    await Promise.all(this.#under);
    this.#rethrow();
    this.#unwatch();
    return this.#total;
  }

  async abort(reason: unknown): Promise<void> {
    this.#controller.abort(reason);
    await Promise.all(this.#under);
    this.#unwatch();
  }

  #rethrow(): void {
    if (this.#failure) throw this.#failure.error;
  }

  async #send(piece: Batch, number: number): Promise<void> {
    const documents = piece.bytes();
    const hash = sharedKernel().hash(documents).toString(16).padStart(16, '0');
    const key = `${this.#prefix}-${number}-${hash}`;
    const body = await this.#encode(documents);
    const { signal } = this.#controller;
    let renewed = false;
    let refresh = false;
    const judge = (error: unknown): number | false => {
      refresh = false;
      if (!(error instanceof Refused)) return isTransientError(error) ? 0 : false;
      if (error.status === 401 && typeof this.#options.headers === 'function' && !renewed) {
        refresh = true;
        renewed = true;
        return 0;
      }
      return isTransientStatus(error.status) ? error.retryAfterMs : false;
    };
    const onRetry = (): void => {
      this.#total.retries++;
    };
    try {
      const attempt = () => this.#attempt(body, key, refresh);
      await retry(attempt, this.#options.retry, { signal, judge, onRetry });
    } catch (error) {
      signal.throwIfAborted();
      throw this.#explain(error, piece);
    }
    this.#total.documents += piece.length;
    this.#total.bytesSent += body.byteLength;
  }

  async #encode(lines: Uint8Array): Promise<Uint8Array> {
    const { format = 'jsonl', compression = 'none' } = this.#options;
    const body = format === 'json' ? arrayOf(lines) : lines;
    return compression === 'gzip' ? promisify(gzip)(body) : body;
  }

  /** Errors: Refused for any status but 2xx, Unanswered, those of the headers. */
  async #attempt(body: Uint8Array, key: string, refresh: boolean): Promise<void> {
    const controller = new AbortController();
    const { signal } = this.#controller;
    const stop = (): void => controller.abort(signal.reason);
    signal.throwIfAborted();
    signal.addEventListener('abort', stop, { once: true });
    const { timeoutMs } = this.#limits;
    const timer = setTimeout(() => {
      controller.abort(new DOMException(`no answer in ${timeoutMs} ms`, 'TimeoutError'));
    }, timerMs(timeoutMs));
    try {
      const headers = await unlessAborted(this.#headers(key, refresh), controller.signal);
      await this.#post(body, headers, controller.signal);
    } catch (error) {
      if (error instanceof Refused) throw error;
      // The client only says that it was stopped.
      throw controller.signal.aborted ? new Unanswered(controller.signal.reason) : error;
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', stop);
    }
  }

  /** Errors: Refused, Unanswered. */
  async #post(body: Uint8Array, headers: Headers, signal: AbortSignal): Promise<void> {
    const { method = 'POST', tls, fetch } = this.#options;
    const request = { method, headers, body, tls, signal };
    const sending = fetch ? sendByFetch(fetch, this.#url, request) : sendByNode(this.#url, request);
    const response = await sending.catch((error) => {
      throw new Unanswered(error);
    });
    const after = parseRetryAfter(response.headers.get('retry-after')) ?? 0;
    await drain(response);
    const { status } = response;
    if (status < 200 || status > 299) throw new Refused(status, after);
  }

  /** Errors: INVALID_ARGUMENT; those of the user's function. */
  async #headers(key: string, refresh: boolean): Promise<Headers> {
    const { format = 'jsonl', compression = 'none' } = this.#options;
    const headers = new Headers({
      'content-type': format === 'json' ? 'application/json' : 'application/x-ndjson',
      ...(compression === 'gzip' ? { 'content-encoding': 'gzip' } : {}),
      'idempotency-key': key,
      ...this.#login,
    });
    const given = await this.#givenHeaders(refresh);
    for (const [name, value] of Object.entries(given)) headers.set(name, value);
    return headers;
  }

  async #givenHeaders(refresh: boolean): Promise<HeaderInput> {
    const { headers = {} } = this.#options;
    if (typeof headers !== 'function') return headers;
    const given = await headers(refresh);
    checkHeaders(given);
    return given;
  }

  #explain(error: unknown, piece: Batch): unknown {
    if (!(error instanceof Refused || error instanceof Unanswered)) return error;
    const { message, cause } = error;
    return new EtlError('HTTP_ERROR', `${message}${formatFirst(piece)}`, {
      place: { url: this.#shown },
      ...(cause === undefined ? {} : { cause }),
    });
  }
}

/**
 * Nothing in the answer matters, and the status is known: an answer that breaks off is as good as
 * any. Reading a short one leaves the connection for the next request.
 */
async function drain(response: RawResponse): Promise<void> {
  let left = 64 << 10;
  try {
    for await (const { byteLength } of response.chunks) {
      left -= byteLength;
      if (left < 0) break;
    }
  } catch {
    // The connection is lost with it, no more.
  }
  await response.cancel();
}

/** Where the documents of a request that failed begin. */
function formatFirst(piece: Batch): string {
  const { path, url, line, ordinal } = piece.place(0);
  const source = path ?? (url && redactUrl(url)) ?? '';
  const at = line ?? ordinal;
  if (at === undefined) return '';
  return ` for ${piece.length} documents from ${source ? `${source}:` : 'record '}${at} on`;
}

/** The message of `Headers` would have the value in it. Errors: INVALID_ARGUMENT with the name. */
function checkHeaders(headers: HeaderInput): void {
  for (const [name, value] of Object.entries(headers)) {
    try {
      new Headers([[name, value]]);
    } catch {
      throw new EtlError('INVALID_ARGUMENT', `httpSink: the header ${name} cannot be sent`);
    }
  }
}

/** `[` in front, `,` for every line end but the last, which becomes `]`. */
function arrayOf(lines: Uint8Array): Uint8Array {
  const array = new Uint8Array(lines.length + 1);
  array[0] = 0x5b;
  array.set(lines, 1);
  for (let at = array.indexOf(0x0a); at >= 0; at = array.indexOf(0x0a, at + 1)) array[at] = 0x2c;
  array[array.length - 1] = 0x5d;
  return array;
}
