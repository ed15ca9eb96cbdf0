/**
 * A body that survives its connection. When it breaks, stalls or ends before its length, the rest is
 * asked for by Range and If-Range if the server gave a strong ETag for the plain bytes, and again as
 * long as it gives less of the rest than that; else the whole is asked for again and what was given
 * already is passed over, once it has proved to be the same. Where it is not the same any more, that
 * is an error, never a mixture.
 */
import { createHash, type Hash } from 'node:crypto';
import { EtlError } from '../core/errors.ts';
import { redactUrl } from '../core/redact.ts';
import { backoffMs, type RetryOptions, retry, waitMs } from '../core/retry.ts';
import {
  type Exchange,
  exchange,
  type HttpHeaders,
  type HttpOptions,
  type HttpRequest,
  judgeExchange,
  tooLong,
} from './http-exchange.ts';

export interface BodyOptions extends HttpOptions {
  readonly retry?: RetryOptions;
  /** Waited for before every request. */
  readonly beforeRequest?: (signal: AbortSignal) => Promise<void>;
}

export interface HttpBody {
  readonly headers: Headers;
  /** Where the answer came from, behind redirects; without user and password. */
  readonly url: URL;
  /** What the chunks are compressed with, `identity` if they are not. */
  readonly encoding: string;
  /** Where the chunks begin: what was asked for, or 0 when the server gives the whole. */
  readonly start: number;
  /** A strong ETag of the plain bytes, with which a later run can go on at an offset. */
  readonly etag: string | undefined;
  /** Errors: HTTP_ERROR, LIMIT_EXCEEDED, TRUNCATED_INPUT, INPUT_CHANGED, the signal's reason. */
  readonly chunks: AsyncGenerator<Uint8Array, void, void>;
  /** Ends the download; enough where the chunks have not been begun. */
  close(): Promise<void>;
}

/**
 * Resolves when there is an answer. `from` asks for the bytes behind an offset of what had this ETag.
 * Errors: HTTP_ERROR naming the redacted URL when it cannot be had, after all attempts.
 */
export async function openBody(
  request: HttpRequest,
  options: BodyOptions,
  signal: AbortSignal,
  from?: { readonly offset: number; readonly etag: string },
): Promise<HttpBody> {
  const body = new Download(request, options, signal);
  return body.open(from);
}

/** The encodings that `decompress` undoes. */
const ACCEPT: HttpHeaders = { 'accept-encoding': 'gzip, br, zstd' };
const IDENTITY: HttpHeaders = { 'accept-encoding': 'identity' };

class Download {
  readonly #request: HttpRequest;
  readonly #options: BodyOptions;
  readonly #signal: AbortSignal;
  /** Bytes given, those before the start included. */
  #given = 0;
  #etag: string | undefined;
  /** Asks for the same bytes again. */
  #accept: HttpHeaders = ACCEPT;
  /** Of what has been given, where no ETag vouches for it. */
  #hash: Hash | undefined;

  constructor(request: HttpRequest, options: BodyOptions, signal: AbortSignal) {
    this.#request = request;
    this.#options = options;
    this.#signal = signal;
  }

  async open(from?: { offset: number; etag: string }): Promise<HttpBody> {
    const range = from ? rangeHeaders(IDENTITY, from.offset, from.etag) : ACCEPT;
    let first = await this.#send(range, from ? [416] : []);
    if (from && !isAnswer(first, from)) {
      await first.close();
      first = await this.#send(ACCEPT);
    }
    const { headers } = first.response;
    const start = partOf(first)?.start ?? 0;
    this.#given = start;
    const encoding = encodingOf(first);
    const etag = headers.get('etag') ?? '';
    // What has been decoded has other offsets than what the tag stands for.
    const isRaw = !first.response.decoded || !headers.has('content-encoding');
    if (isRaw && etag.startsWith('"')) this.#etag = etag;
    else this.#hash = createHash('sha1');
    if (!headers.has('content-encoding')) this.#accept = IDENTITY;
    const chunks = this.#chunks(first);
    const close = async (): Promise<void> => {
      await chunks.return();
      await first.close();
    };
    const known = encoding === 'identity' ? this.#etag : undefined;
    return { headers, url: first.url, encoding, start, etag: known, chunks, close };
  }

  async *#chunks(first: Exchange): AsyncGenerator<Uint8Array, void, void> {
    const { retries = 5 } = this.#options.retry ?? {};
    let current: Exchange | undefined = first;
    // A body that breaks is judged here; that there is an answer is the business of `#again`.
    for (let failures = 0; current; current = await this.#again()) {
      const before = this.#given;
      try {
        if (yield* this.#rest(current)) return;
      } catch (error) {
        this.#signal.throwIfAborted();
        if (this.#given > before) failures = 0;
        if (judgeExchange(error) === false || failures >= retries) throw error;
        await waitMs(backoffMs(failures++, this.#options.retry), this.#signal);
      }
    }
  }

  /**
   * What an exchange has beyond what was given; verifies its length and what is passed over. Returns
   * false where more follows behind it.
   */
  async *#rest(exchange: Exchange): AsyncGenerator<Uint8Array, boolean, void> {
    const { maxBodyBytes = Number.POSITIVE_INFINITY } = this.#options;
    const part = partOf(exchange);
    let at = part?.start ?? 0;
    const end = endOf(exchange);
    const seen = this.#hash && at < this.#given ? createHash('sha1') : undefined;
    for await (const chunk of exchange.chunks()) {
      const known = Math.min(Math.max(this.#given - at, 0), chunk.length);
      at += chunk.length;
      // Each exchange counts for itself.
      if (at > maxBodyBytes) throw tooLong(exchange.url, maxBodyBytes);
      if (known > 0) {
        seen?.update(chunk.subarray(0, known));
        if (seen && at >= this.#given && !sameDigest(seen, this.#hash!)) {
          throw this.#changed('what comes now is not what came before');
        }
      }
      if (known === chunk.length) continue;
      const fresh = known === 0 ? chunk : chunk.subarray(known);
      this.#hash?.update(fresh);
      this.#given += fresh.length;
      yield fresh;
    }
    if (at < this.#given) throw this.#changed('it is shorter than what came before');
    // A part that holds nothing would be asked for without end.
    const isEmpty = at === part?.start;
    if (isEmpty || (end !== undefined && at !== end)) throw cutShort(this.#place(), at, end);
    return part === undefined || part.end === part.total;
  }

  /** Asks for the rest; undefined when there is none. */
  async #again(): Promise<Exchange | undefined> {
    const given = this.#given;
    const etag = this.#etag;
    const range =
      etag !== undefined && given > 0 ? rangeHeaders(this.#accept, given, etag) : this.#accept;
    const next = await this.#send(range, [416]);
    const { status, headers } = next.response;
    const same = etag === undefined || (headers.get('etag') ?? etag) === etag;
    if (status === 416) {
      await next.close();
      if (same && headers.get('content-range') === `bytes */${given}`) return undefined;
    } else if (same && (partOf(next)?.start ?? given) === given) return next;
    await next.close();
    throw this.#changed('it has another ETag or range');
  }

  #send(headers: HttpHeaders, accept: readonly number[] = []): Promise<Exchange> {
    const signal = this.#signal;
    const send = async (): Promise<Exchange> => {
      await this.#options.beforeRequest?.(signal);
      return exchange(this.#request, this.#options, signal, headers, accept);
    };
    return retry(send, this.#options.retry, { signal, judge: judgeExchange });
  }

  #changed(how: string): EtlError {
    const place = this.#place();
    return new EtlError('INPUT_CHANGED', `changed while it was read: ${how}`, { place });
  }

  #place(): { url: string; offset: number } {
    return { url: redactUrl(this.#request.url), offset: this.#given };
  }
}

function rangeHeaders(accept: HttpHeaders, offset: number, etag: string): HttpHeaders {
  return { ...accept, range: `bytes=${offset}-`, 'if-range': etag };
}

/** Whether this is the whole, or the part that was asked for. */
function isAnswer(exchange: Exchange, asked: { offset: number; etag: string }): boolean {
  const { status, headers } = exchange.response;
  if (status !== 206) return status !== 416;
  const isSame = (headers.get('etag') ?? asked.etag) === asked.etag;
  return isSame && partOf(exchange)?.start === asked.offset;
}

/** What a 206 is of the whole, the end excluded; undefined for what is the whole. */
function partOf({ response }: Exchange): { start: number; end: number; total: number } | undefined {
  if (response.status !== 206) return undefined;
  const range = response.headers.get('content-range') ?? '';
  // A total of `*` is as good as one that is never reached, and -1 no start that was asked for.
  const [, start = -1, last = -1, total] = /^bytes (\d+)-(\d+)\/(\d+|\*)$/.exec(range) ?? [];
  return { start: Number(start), end: Number(last) + 1, total: Number(total) };
}

/** Where the body ends by its own word; of one that has been decoded the length is another's. */
function endOf(exchange: Exchange): number | undefined {
  const { headers, decoded } = exchange.response;
  if (decoded && headers.has('content-encoding')) return undefined;
  const length = headers.get('content-length');
  return partOf(exchange)?.end ?? (length === null ? undefined : Number(length));
}

function encodingOf({ response }: Exchange): string {
  const named = response.headers.get('content-encoding')?.trim().toLowerCase() ?? '';
  return named === '' || response.decoded ? 'identity' : named;
}

function sameDigest(a: Hash, b: Hash): boolean {
  return a.copy().digest('hex') === b.copy().digest('hex');
}

/** Worth another attempt, as its cause says. */
function cutShort(place: { url: string; offset: number }, got: number, of?: number): EtlError {
  const cause = Object.assign(new Error('premature end'), { code: 'ERR_STREAM_PREMATURE_CLOSE' });
  return new EtlError('TRUNCATED_INPUT', `ended after ${got} of ${of ?? 'more'} bytes`, {
    place,
    cause,
  });
}
