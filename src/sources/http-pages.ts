/**
 * Answers that are held whole: pages that follow each other, and requests several at a time. The next
 * page is under way while one is being worked on; of later requests the first page is.
 *
 * The last batch of a page has a cursor, the others have none: the request, and the URL of the page to
 * go on with. What the URL shares with the request's own query is left out of the cursor, keys and
 * tokens given by the user among it.
 */
import pLimit from 'p-limit';
import { Batch } from '../core/batch.ts';
import { EtlError } from '../core/errors.ts';
import { type PathInput, parsePath } from '../core/path.ts';
import { redactUrl } from '../core/redact.ts';
import type { ByteReader, Wants } from '../core/stage.ts';
import { joinBytes, readChunks } from '../formats/chunk-reader.ts';
import { compressionOf, decompress, detectCompression } from '../io/decompress.ts';
import { type BodyOptions, openBody } from '../io/http-body.ts';
import { type HttpHeaders, type HttpRequest, parseUrl } from '../io/http-exchange.ts';
import { sharedKernel } from '../kernels/index.ts';
import type { TextSourceOptions } from './text-source.ts';

/** A page that has been read, for a function that finds the next. */
export interface HttpPage {
  readonly url: URL;
  readonly headers: Headers;
  /** 0 for the first. */
  readonly index: number;
  /** Documents on it, bad ones included. */
  readonly documents: number;
  /** The body as JSON.parse gives it. */
  json(): unknown;
}

/**
 * Where the next page is: the `Link` header's `rel="next"`; a URL in the body; a cursor in the body
 * that goes into a parameter; an offset or a page number that grows until a page is empty, or has
 * fewer documents than `size`; or what a function says, undefined being the end.
 */
export type HttpPages =
  | { readonly type: 'link' }
  | { readonly type: 'body'; readonly next: PathInput }
  | { readonly type: 'cursor'; readonly cursor: PathInput; readonly parameter?: string }
  | {
      readonly type: 'offset';
      readonly size: number;
      /** Default `offset`. */
      readonly parameter?: string;
      /** Default `limit`. */
      readonly sizeParameter?: string;
    }
  | {
      readonly type: 'page';
      /** Default 1. */
      readonly first?: number;
      /** Default `page`. */
      readonly parameter?: string;
      readonly size?: number;
      /** Default `per_page`. */
      readonly sizeParameter?: string;
    }
  | ((page: HttpPage) => string | URL | undefined | Promise<string | URL | undefined>);

interface PagesOptions extends TextSourceOptions {
  readonly pages: HttpPages | undefined;
  readonly concurrency: number;
  readonly maxPages?: number;
  readonly maxPageBytes?: number;
  readonly sending: BodyOptions;
  readonly decode: (
    reader: ByteReader & { readonly contentType?: string },
    options: object,
  ) => AsyncGenerator<Batch, void, void>;
}

/** Where to go on: before `page` of a request, at `url` without the parameters that are its own. */
interface PageCursor {
  readonly request: number;
  readonly page: number;
  readonly url: string | null;
  /** Names of the parameters to be taken from the request's own URL. */
  readonly same: readonly string[];
  readonly ordinal: number;
}

interface Fetched {
  readonly url: URL;
  readonly headers: Headers;
  readonly bytes: Uint8Array;
}

/** Errors: those of `openBody`; IO_ERROR for a page too long; CURSOR_MISMATCH; INVALID_ARGUMENT. */
export async function* readPages(
  requests: Iterable<HttpRequest> | AsyncIterable<HttpRequest>,
  options: PagesOptions,
  signal: AbortSignal,
  wants: Wants,
  from: unknown,
): AsyncGenerator<Batch, void, void> {
  const cursor = parseCursor(from);
  const { pages, concurrency, maxPages = 10_000 } = options;
  const limit = pLimit(concurrency);
  const life = new AbortController();
  const stop = (): void => life.abort(signal.reason);
  if (signal.aborted) stop();
  signal.addEventListener('abort', stop, { once: true });
  const get = (request: HttpRequest, url: URL): Promise<Fetched> => {
    const headers = { ...parseUrl(request.url).headers, ...request.headers };
    const fetched = limit(() => fetchWhole({ ...request, headers, url }, options, life.signal));
    // Whoever waits for it learns of its failure; nobody may be left to.
    fetched.catch(() => {});
    return fetched;
  };
  const onError = options.onError ?? wants.onReject ?? 'stop';
  let ordinal = cursor?.ordinal ?? 0;
  try {
    for await (const { request, at, first } of startAhead(requests, cursor, concurrency, begin)) {
      let fetched = await first;
      for (let page = cursor?.request === at ? cursor.page : 0; ; page++) {
        signal.throwIfAborted();
        const read = await decodePage(fetched, { ...options, ...wants, onError, ordinal });
        const goesOn = pages && !read.failure;
        const url = goesOn && (await nextUrl(pages, fetched, read.elements, page));
        if (url && page + 1 >= maxPages) {
          throw new EtlError('INVALID_ARGUMENT', `more than ${maxPages} pages`, {
            place: { url: redactUrl(url) },
          });
        }
        const next = url ? get(request, url) : undefined;
        for (const batch of read.batches) ordinal += batch.length;
        const own = parseUrl(request.url).url;
        const position = { request: url ? at : at + 1, page: url ? page + 1 : 0, ordinal };
        const place = { ...position, ...(url ? withoutOwn(url, own) : { url: null, same: [] }) };
        yield* read.batches.slice(0, -1);
        const last = read.batches.at(-1) ?? Batch.fromDocuments([], sharedKernel().codec);
        yield read.failure ? last : last.withCursor(place);
        if (read.failure) throw read.failure;
        if (!next) break;
        fetched = await next;
      }
    }
  } finally {
    signal.removeEventListener('abort', stop);
    life.abort(new EtlError('ABORTED', 'nobody needs more'));
  }

  function begin(request: HttpRequest, at: number): Promise<Fetched> {
    const { url } = parseUrl(request.url);
    const goesOn = cursor?.request === at && cursor.url !== null;
    return get(request, goesOn ? withOwn(cursor, url) : firstUrl(pages, url));
  }
}

interface Started {
  readonly request: HttpRequest;
  readonly at: number;
  readonly first: Promise<Fetched>;
}

/** The requests from the cursor on, in order, each begun some time before its turn. */
async function* startAhead(
  requests: Iterable<HttpRequest> | AsyncIterable<HttpRequest>,
  cursor: PageCursor | undefined,
  concurrency: number,
  begin: (request: HttpRequest, at: number) => Promise<Fetched>,
): AsyncGenerator<Started, void, void> {
  const ahead = concurrency === 1 ? 0 : 2 * concurrency - 1;
  const started: Started[] = [];
  let at = 0;
  for await (const request of requests) {
    if (at >= (cursor?.request ?? 0)) started.push({ request, at, first: begin(request, at) });
    at++;
    if (started.length > ahead) yield started.shift()!;
  }
  yield* started;
}

async function fetchWhole(
  request: HttpRequest,
  options: PagesOptions,
  signal: AbortSignal,
): Promise<Fetched> {
  const { maxPageBytes = 64 << 20, sending } = options;
  const body = await openBody(request, sending, signal);
  const { url } = parseUrl(request.url);
  const place = { url: redactUrl(url) };
  const chunks: Uint8Array[] = [];
  let size = 0;
  const add = (chunk: Uint8Array): void => {
    size += chunk.length;
    if (size > maxPageBytes) {
      throw new EtlError('IO_ERROR', `the page is longer than ${maxPageBytes} bytes`, { place });
    }
    chunks.push(chunk);
  };
  for await (const chunk of body.chunks) add(chunk);
  let bytes = joinBytes(chunks, size);
  const encoding = compressionOf(body.encoding, place);
  for (const compression of [encoding, undefined]) {
    chunks.length = 0;
    size = 0;
    const kind = compression ?? detectCompression(bytes, url.pathname);
    for await (const chunk of decompress(once(bytes), kind, place)) add(chunk);
    bytes = joinBytes(chunks, size);
  }
  return { url, headers: body.headers, bytes };
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, void> {
  yield bytes;
}

interface ReadPage {
  readonly batches: readonly Batch[];
  readonly elements: number;
  /** What stopped the reading, to be thrown behind the batches. */
  readonly failure: unknown;
}

async function decodePage(
  { url, headers, bytes }: Fetched,
  options: PagesOptions & { readonly onError: unknown; readonly ordinal: number },
): Promise<ReadPage> {
  let elements = 0;
  const { onError } = options;
  const contentType = headers.get('content-type');
  const reader = Object.assign(readChunks([bytes]), contentType === null ? {} : { contentType });
  const batches: Batch[] = [];
  const counted = (reject: never): void => {
    elements++;
    if (typeof onError === 'function') onError(reject);
  };
  const decoding = {
    ...options,
    onError: onError === 'stop' ? 'stop' : counted,
    source: redactUrl(url),
    cursorAt: () => undefined,
  };
  try {
    for await (const batch of options.decode(reader, decoding)) {
      elements += batch.length;
      batches.push(batch);
    }
  } catch (failure) {
    return { batches, elements, failure };
  }
  return { batches, elements, failure: undefined };
}

function firstUrl(pages: HttpPages | undefined, url: URL): URL {
  if (typeof pages !== 'object' || (pages.type !== 'offset' && pages.type !== 'page')) return url;
  const { size, sizeParameter = pages.type === 'offset' ? 'limit' : 'per_page' } = pages;
  const made = new URL(url);
  if (size !== undefined) made.searchParams.set(sizeParameter, String(size));
  return withNumber(made, pages, pages.type === 'offset' ? 0 : (pages.first ?? 1));
}

/** Errors: IO_ERROR when the next page is the same, on another server, or has no usable URL. */
async function nextUrl(
  pages: HttpPages,
  { url, headers, bytes }: Fetched,
  documents: number,
  index: number,
): Promise<URL | undefined> {
  const json = (): unknown => JSON.parse(new TextDecoder().decode(bytes));
  const found =
    typeof pages === 'function'
      ? await pages({ url: new URL(url), headers, index, documents, json })
      : findNext(pages, url, headers, documents, json);
  if (found === undefined || found === null || found === '') return undefined;
  const place = { url: redactUrl(url) };
  let next: URL;
  try {
    next = parseUrl(new URL(String(found), url)).url;
  } catch {
    throw new EtlError('IO_ERROR', 'the next page has no usable URL', { place });
  }
  if (next.href === url.href) {
    throw new EtlError('IO_ERROR', 'the page names itself as the next', { place });
  }
  // What was given for this origin is sent with every page.
  if (next.origin === url.origin) return next;
  throw new EtlError('IO_ERROR', 'the next page is on another server', { place });
}

function findNext(
  pages: Exclude<HttpPages, (...args: never[]) => unknown>,
  url: URL,
  headers: Headers,
  documents: number,
  json: () => unknown,
): unknown {
  switch (pages.type) {
    case 'link':
      return nextLink(headers.get('link') ?? '');
    case 'body':
      return valueAt(json(), pages.next);
    case 'cursor': {
      const cursor = valueAt(json(), pages.cursor);
      if (cursor === undefined || cursor === null || cursor === '') return undefined;
      const next = new URL(url);
      next.searchParams.set(pages.parameter ?? 'cursor', String(cursor));
      return next;
    }
    default: {
      if (documents === 0 || documents < (pages.size ?? 1)) return undefined;
      const now = Number(url.searchParams.get(pages.parameter ?? pages.type));
      return withNumber(url, pages, now + (pages.type === 'offset' ? documents : 1));
    }
  }
}

function withNumber(url: URL, pages: { type: string; parameter?: string }, value: number): URL {
  const next = new URL(url);
  next.searchParams.set(pages.parameter ?? pages.type, String(value));
  return next;
}

/** The target of `rel="next"` in a Link header (RFC 8288). */
function nextLink(header: string): string | undefined {
  for (const [, target, parameters] of header.matchAll(LINK)) {
    const rel = /;\s*rel\s*=\s*"?([^";]*)"?/i.exec(parameters ?? '')?.[1] ?? '';
    if (rel.toLowerCase().split(/\s+/).includes('next')) return target;
  }
  return undefined;
}

/** A link: its target, and parameters whose values may be quoted. */
const LINK = /<([^>]*)>((?:\s*;\s*[\w*-]+(?:\s*=\s*(?:"[^"]*"|[^\s",;]*))?)*)/g;

function valueAt(value: unknown, path: PathInput): unknown {
  let at = value;
  for (const step of parsePath(path)) at = (at as HttpHeaders | null | undefined)?.[step];
  return at;
}

function withoutOwn(url: URL, own: URL): { url: string; same: string[] } {
  const short = new URL(url);
  const same = [...new Set(own.searchParams.keys())].filter((name) => {
    return short.searchParams.get(name) === own.searchParams.get(name);
  });
  for (const name of same) short.searchParams.delete(name);
  return { url: short.href, same };
}

function withOwn({ url, same }: PageCursor, own: URL): URL {
  const whole = new URL(url!);
  for (const name of same) whole.searchParams.set(name, own.searchParams.get(name) ?? '');
  if (whole.origin === own.origin) return whole;
  throw new EtlError('CURSOR_MISMATCH', 'the cursor is of another server');
}

/** Errors: CURSOR_MISMATCH. */
function parseCursor(from: unknown): PageCursor | undefined {
  if (from === undefined || from === null) return undefined;
  const { request, page, url, same, ordinal } = from as Partial<PageCursor>;
  const counts = [request, page, ordinal].every((value) => Number.isSafeInteger(value));
  if (counts && (url === null || typeof url === 'string') && Array.isArray(same)) {
    return from as PageCursor;
  }
  throw new EtlError('CURSOR_MISMATCH', 'the cursor is not one of this source');
}
