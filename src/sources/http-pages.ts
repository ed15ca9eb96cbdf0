/**
 * Answers in pages that follow each other, and requests several at a time. Documents are given as a body
 * comes; the next page is asked for before the last batch is given, where that is quick to tell. Of the requests behind the one
 * that is being read, the first pages are under way: each is read up to `AHEAD_BYTES`, then waits.
 *
 * A cursor is the request, the redacted URL of the one that was read, the URL of the page to go on with, and how many of
 * its documents to pass over, bad ones apart: in the middle of a page that one is asked for again. What the URL shares with
 * the request's own query is left out of the cursor, keys and tokens given by the user among it.
 */
import { setMaxListeners } from 'node:events';
import { isDeepStrictEqual } from 'node:util';
import pLimit from 'p-limit';
import { unlessAborted } from '../core/abort.ts';
import { Batch } from '../core/batch.ts';
import { EtlError } from '../core/errors.ts';
import type { Path } from '../core/path.ts';
import { redactUrl } from '../core/redact.ts';
import { type Reject, readOnError } from '../core/reject.ts';
import { waitMs } from '../core/retry.ts';
import type { Wants } from '../core/stage.ts';
import type { CsvLayout } from '../formats/csv-options.ts';
import type { BodyOptions } from '../io/http-body.ts';
import { type HttpRequest, parseUrl } from '../io/http-exchange.ts';
import { sharedKernel } from '../kernels/index.ts';
import { quiet, startAhead } from './http-ahead.ts';
import { firstUrl, type HttpPages, neededOf, nextUrl, type ReadPage } from './http-next-page.ts';
import { type DecodeBody, KeptBody, openPage, type Page } from './http-page.ts';
import type { TextSourceOptions } from './text-source.ts';

/** What the columns of CSV were in the bodies before; undefined before the first. */
export interface KeptColumns {
  types: CsvLayout['types'] | undefined;
}

interface PagesOptions extends TextSourceOptions {
  readonly pages: HttpPages | undefined;
  readonly concurrency: number;
  readonly maxPages?: number;
  readonly maxPageBytes?: number;
  /** Where the array of documents stands in a JSON body. */
  readonly path: Path;
  readonly sending: BodyOptions;
  readonly decode: DecodeBody;
  /** The decoder's; cursors bring them back. */
  readonly keptColumns: KeptColumns;
}

/** Where to go on: before `page` of a request, at `url` without the parameters that are its own. */
interface PageCursor {
  readonly request: number;
  /** The redacted URL of the request before `request` where `url` is null, else of that one. Older ones have none. */
  readonly source?: string;
  readonly page: number;
  readonly url: string | null;
  /** Names of the parameters to be taken from the request's own URL. */
  readonly same: readonly string[];
  /** Documents of the page that came before. */
  readonly passed?: number;
  /** Bad records of it that were told of before. */
  readonly rejected?: number;
  readonly ordinal: number;
  readonly types?: CsvLayout['types'];
}

/**
 * Errors: those of `openBody`; LIMIT_EXCEEDED for what is kept of a page; CURSOR_MISMATCH;
 * INVALID_ARGUMENT.
 */
export async function* readPages(
  requests: Iterable<HttpRequest> | AsyncIterable<HttpRequest>,
  options: PagesOptions,
  signal: AbortSignal,
  wants: Wants,
  from: unknown,
): AsyncGenerator<Batch, void, void> {
  const cursor = parseCursor(from);
  const { pages, concurrency, maxPages = 10_000, sending, keptColumns: columns } = options;
  columns.types = cursor?.types;
  const kept = () => (columns.types ? { types: columns.types } : {});
  // The request being read goes on with its pages whatever the others do.
  const limit = pLimit(Math.max(1, pages ? concurrency - 1 : concurrency));
  const life = new AbortController();
  // One listener for each request under way is no leak.
  setMaxListeners(0, life.signal);
  const stop = (): void => life.abort(signal.reason);
  if (signal.aborted) stop();
  signal.addEventListener('abort', stop, { once: true });
  const get = (request: HttpRequest, url: URL): Promise<Page> => {
    const headers = { ...parseUrl(request.url).headers, ...request.headers };
    return quiet(openPage({ ...request, headers, url }, sending, life.signal));
  };
  let ordinal = cursor?.ordinal ?? 0;
  try {
    for await (const { request, at, first } of startAhead(
      cursor ? checked(requests, cursor) : requests,
      cursor?.request ?? 0,
      concurrency,
      begin,
    )) {
      let opened = await first;
      const { url: own } = parseUrl(request.url);
      const source = redactUrl(own);
      let passing = cursor?.request === at ? (cursor.passed ?? 0) : 0;
      let known = cursor?.request === at ? (cursor.rejected ?? 0) : 0;
      for (let page = cursor?.request === at ? cursor.page : 0; ; page++) {
        const start = ordinal - passing;
        const settings = { ...options, ...wants, ordinal: start, known };
        const reading = new PageReading(opened, settings, life);
        let passed = 0;
        const unread = (batch: Batch): Batch => {
          const skip = Math.min(passing, batch.length);
          passing -= skip;
          passed += batch.length;
          ordinal += batch.length - skip;
          return skip === 0 ? batch : batch.slice(skip, batch.length);
        };
        const here = () => {
          const { rejected } = reading;
          const place = { request: at, source, page, ordinal, passed, rejected };
          return { ...place, ...kept(), ...withoutOwn(opened.url, own) };
        };
        for await (const each of reading.batches()) {
          const batch = unread(each);
          if (batch.length === 0) continue;
          yield batch.withCursor(here());
          signal.throwIfAborted();
        }
        const last = unread(reading.last);
        if (passing > 0 && !reading.failed) {
          throw new EtlError('CURSOR_MISMATCH', 'the page has become shorter', {
            place: { url: redactUrl(opened.url) },
          });
        }
        const { url, failed } = await findNext(reading, page);
        if (failed) {
          // Who goes on from here fails again, or not: without an end, if each gave a cursor and nothing new.
          const isNew = last.length > 0 || (passing === 0 && reading.rejected > known);
          if (isNew) yield last.withCursor(here());
          throw failed.error;
        }
        const next = url ? get(request, url) : undefined;
        const position = {
          request: url ? at : at + 1,
          source,
          page: url ? page + 1 : 0,
          ordinal,
          ...kept(),
        };
        const place = { ...position, ...(url ? withoutOwn(url, own) : { url: null, same: [] }) };
        yield last.withCursor(place);
        if (!next) break;
        signal.throwIfAborted();
        opened = await next;
        known = 0;
      }
    }
  } finally {
    signal.removeEventListener('abort', stop);
    life.abort(new EtlError('ABORTED', 'nobody needs more'));
  }

  /** The page behind one, or what kept this one from being read or keeps that from being known. */
  async function findNext(reading: PageReading, page: number): Promise<{ url?: URL } & Failed> {
    if (reading.failed) return { failed: reading.failed };
    if (!pages) return {};
    try {
      const url = await unlessAborted(nextUrl(pages, reading.about(page)), signal);
      if (!url) return {};
      if (page + 1 < maxPages) return { url };
      const place = { url: redactUrl(url) };
      throw new EtlError('INVALID_ARGUMENT', `more than ${maxPages} pages`, { place });
    } catch (error) {
      signal.throwIfAborted();
      return { failed: { error } };
    }
  }

  function begin(request: HttpRequest, at: number): Promise<Page> {
    const { url } = parseUrl(request.url);
    const goesOn = cursor?.request === at && cursor.url !== null;
    const start = (): Promise<Page> =>
      get(request, goesOn ? withOwn(cursor, url) : firstUrl(pages, url));
    if (concurrency === 1) return start();
    return quiet(
      new Promise((resolve, reject) => {
        const whole = limit(async () => {
          const page = await start();
          resolve(page);
          page.readAhead();
          await page.ended;
        });
        whole.catch(reject);
      }),
    );
  }
}

/** Longest time that a batch waits for the next, or for the end of its page. */
const LINGER_MS = 10;

async function isSoon(step: Promise<unknown>): Promise<boolean> {
  const enough = new AbortController();
  const late = waitMs(LINGER_MS, enough.signal).then(
    () => false,
    () => true,
  );
  const soon = step.then(
    () => true,
    () => true,
  );
  return Promise.race([soon, late]).finally(() => enough.abort());
}

const emptyBatch = (): Batch => Batch.fromDocuments([], sharedKernel().codec);

/** What has gone wrong, to be thrown behind the documents that come before it. */
interface Failed {
  readonly failed?: { readonly error: unknown };
}

interface PageOptions extends PagesOptions, Wants {
  readonly ordinal: number;
  /** So many bad records have been told of before. */
  readonly known: number;
}

/** One page on its way through a decoder. */
class PageReading {
  /** What `batches` does not give of the end: a batch, or an empty one. */
  last: Batch = emptyBatch();
  /** What stopped the reading, behind the last batch. */
  failed: Failed['failed'];
  /** Bad records told of before the batch given last had been read; what is read behind it may have more. */
  rejected = 0;
  readonly #page: Page;
  readonly #options: PageOptions;
  readonly #life: AbortController;
  readonly #kept: KeptBody | undefined;
  #documents = 0;
  #rejects = 0;
  /** Of the last batch. */
  #lastRejects = 0;

  constructor(page: Page, options: PageOptions, life: AbortController) {
    this.#page = page;
    this.#options = options;
    this.#life = life;
    const needed = neededOf(options.pages);
    const { maxPageBytes = 64 << 20, path } = options;
    // Open between the documents: the array, and what is around it.
    const level = needed === 'frame' ? path.length + 1 : undefined;
    const kept = { maxBytes: maxPageBytes, level };
    this.#kept = needed === 'none' ? undefined : new KeptBody(page.url, kept);
  }

  async *batches(): AsyncGenerator<Batch, void, void> {
    const { decode } = this.#options;
    const onError = readOnError(this.#options.onError ?? this.#options.onReject);
    const counted = (reject: Reject): void => {
      this.#documents++;
      if (++this.#rejects <= this.#options.known) return;
      if (typeof onError === 'function') onError(reject);
    };
    const decoding = {
      ...this.#options,
      onError: onError === 'stop' ? onError : counted,
      source: redactUrl(this.#page.url),
      cursorAt: (mark: { offset: number; level?: number }) => this.#kept?.passed(mark),
    };
    let batches: AsyncGenerator<Batch, void, void> | undefined;
    let isWhole = false;
    try {
      const reader = await this.#page.open(this.#options, this.#life.signal, this.#kept);
      batches = decode(reader, decoding);
      for (;;) {
        const next = quiet(batches.next());
        if (this.last.length > 0 && !(await isSoon(next))) yield this.#take();
        const { done, value } = await next;
        if (done) break;
        this.#documents += value.length;
        if (this.last.length > 0) yield this.#take();
        this.last = value;
        this.#lastRejects = this.#rejects;
      }
      isWhole = true;
    } catch (error) {
      this.failed = { error };
      isWhole = true;
    } finally {
      // What is being read may never come.
      if (!isWhole) this.#life.abort(new EtlError('ABORTED', 'nobody needs more'));
      await batches?.return().catch(() => {});
    }
    this.rejected = this.#rejects;
  }

  #take(): Batch {
    const { last } = this;
    this.last = emptyBatch();
    this.rejected = this.#lastRejects;
    return last;
  }

  about(index: number): ReadPage {
    const { url, answeredBy, headers } = this.#page;
    return {
      url,
      answeredBy,
      headers,
      index,
      documents: this.#documents,
      path: this.#options.path,
      text: () => this.#kept!.text(),
    };
  }
}

function withoutOwn(url: URL, own: URL): { url: string; same: string[] } {
  const short = new URL(url);
  const same = [...new Set(own.searchParams.keys())].filter((name) => {
    return isDeepStrictEqual(short.searchParams.getAll(name), own.searchParams.getAll(name));
  });
  for (const name of same) short.searchParams.delete(name);
  return { url: short.href, same };
}

function withOwn({ url, same }: PageCursor, own: URL): URL {
  const whole = new URL(url!);
  for (const [name, value] of own.searchParams) {
    if (same.includes(name)) whole.searchParams.append(name, value);
  }
  if (whole.origin === own.origin) return whole;
  throw new EtlError('CURSOR_MISMATCH', 'the cursor is of another server');
}

/** The requests, when the cursor's is where it was. Errors: CURSOR_MISMATCH. */
async function* checked(
  requests: Iterable<HttpRequest> | AsyncIterable<HttpRequest>,
  { request, source, url }: PageCursor,
): AsyncGenerator<HttpRequest, void, void> {
  const own = url === null ? request - 1 : request;
  let at = 0;
  for await (const each of requests) {
    if (at++ === own && source !== undefined && redactUrl(each.url) !== source) {
      const what = 'is not the request that stands where it was when the cursor was made';
      throw new EtlError('CURSOR_MISMATCH', what, { place: { url: source } });
    }
    yield each;
  }
  if (at > own) return;
  const place = source === undefined ? {} : { place: { url: source } };
  throw new EtlError('CURSOR_MISMATCH', 'is no longer among the requests', place);
}

/** Errors: CURSOR_MISMATCH. */
function parseCursor(from: unknown): PageCursor | undefined {
  if (from === undefined || from === null) return undefined;
  const { request, page, url, same, ordinal, types = {} } = from as Partial<PageCursor>;
  const { passed = 0, rejected = 0 } = from as Partial<PageCursor>;
  const numbers = [request, page, ordinal, passed, rejected];
  const counts = numbers.every((value) => Number.isSafeInteger(value));
  if (
    counts &&
    (url === null || typeof url === 'string') &&
    Array.isArray(same) &&
    typeof types === 'object'
  ) {
    return from as PageCursor;
  }
  throw new EtlError('CURSOR_MISMATCH', 'the cursor is not one of this source');
}
