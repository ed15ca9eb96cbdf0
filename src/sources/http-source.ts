/** Documents over HTTP: bodies of any length that survive broken connections, and paged answers. */
import type { Batch, Document } from '../core/batch.ts';
import { checkChoice, checkCount, checkLimits, checkPositive } from '../core/check-option.ts';
import { EtlError } from '../core/errors.ts';
import { isReadOnce, iterateUntil } from '../core/iterate.ts';
import { type Path, type PathInput, parsePath } from '../core/path.ts';
import { type RetryOptions, waitMs } from '../core/retry.ts';
import type { ByteReader, Source } from '../core/stage.ts';
import { type CsvOptions, decodeRows } from '../formats/csv.ts';
import type { CsvRowOptions } from '../formats/csv-options.ts';
import { decodeElements, type JsonOptions } from '../formats/json.ts';
import { decodeLines, type JsonlOptions } from '../formats/jsonl.ts';
import type { DecoderOptions } from '../formats/line-decoder.ts';
import type { BodyOptions } from '../io/http-body.ts';
import {
  checkHttpOptions,
  type HttpOptions,
  type HttpRequest,
  parseUrl,
} from '../io/http-exchange.ts';
import { SourceStream } from '../streams/source-stream.ts';
import { httpInput } from './byte-input.ts';
import { pinTypes } from './csv-source.ts';
import { checkPages, type HttpPages } from './http-next-page.ts';
import { type KeptColumns, readPages } from './http-pages.ts';
import { createTextSource, type TextSourceOptions } from './text-source.ts';

/** A URL, or a request with method, headers and body. */
export type HttpRequestInput = string | URL | HttpRequest;

/** What a body holds. */
type HttpFormat = 'jsonl' | 'json' | 'csv';

export interface HttpSourceOptions extends TextSourceOptions, HttpOptions {
  /** Default by content type, then by the ending of the URL's path, else `jsonl`. */
  readonly format?: HttpFormat | undefined;
  /** How CSV is read; see `csvSource`. Default of `maxRowBytes`: `maxLineBytes`. */
  readonly csv?: CsvRowOptions;
  /** Where the documents stand in a JSON body; see `jsonSource`. All bodies are JSON then. */
  readonly path?: PathInput | undefined;
  /** How often and how long a failed exchange is tried again. */
  readonly retry?: RetryOptions;
  /** At most so many requests a second, evenly spaced. Default none. */
  readonly requestsPerSecond?: number;
  /** How the next page is found. Default: an answer is all there is. */
  readonly pages?: HttpPages;
  /** Pages of one request. Default 10,000. Error: INVALID_ARGUMENT. */
  readonly maxPages?: number;
  /**
   * Requests at once; their documents come in the order of the requests. Above 1, of at most twice
   * as many bodies as this up to 1 MiB is read before its turn. Default 1.
   */
  readonly concurrency?: number;
  /**
   * Most bytes kept of a page in which the next is looked for: of a JSON body what stands around the
   * documents and the first of them, the whole body for a function. Default 64 MiB.
   * Error: LIMIT_EXCEEDED.
   */
  readonly maxPageBytes?: number;
  /** Stops the reading with ABORTED. */
  readonly signal?: AbortSignal;
}

/**
 * Reads JSON Lines, JSON or CSV from URLs, one after the other; of no URLs nothing. Bodies compressed by gzip, brotli or zstd,
 * as content or as encoding, are decompressed.
 *
 * What fails for now (connections, time-outs, statuses 408, 425, 429, 5xx) is tried again with
 * backoff, as `Retry-After` asks; a body that breaks goes on where it broke, by Range if the server
 * names its bytes with a strong ETag, else by reading it again up to there and comparing.
 *
 * Cursors go on in the middle of a body; of paged answers, behind a page.
 *
 * Errors: HTTP_ERROR, LIMIT_EXCEEDED, TRUNCATED_INPUT, INPUT_CHANGED, CORRUPTED_INPUT, CURSOR_MISMATCH,
 * UNSUPPORTED (`application/json-seq`), INVALID_ARGUMENT, ABORTED and those of the format, with the redacted URL.
 */
export function httpSource<T extends object = Document>(
  requests: HttpRequestInput | Iterable<HttpRequestInput> | AsyncIterable<HttpRequestInput>,
  options: HttpSourceOptions = {},
): SourceStream<T> {
  const { signal, ...rest } = options;
  return new SourceStream<T>(createHttpSource(requests, rest), signal ? { signal } : {});
}

/** The same without the stream around it. */
export function createHttpSource(
  requests: HttpRequestInput | Iterable<HttpRequestInput> | AsyncIterable<HttpRequestInput>,
  options: Omit<HttpSourceOptions, 'signal'> = {},
): Source {
  const { requestsPerSecond, pages, concurrency = 1, path, format, csv, ...rest } = options;
  checkCount('concurrency', concurrency);
  const { maxPages = 1, maxPageBytes = 1 } = options;
  checkLimits({ maxPages, maxPageBytes });
  checkHttpOptions(options);
  if (format !== undefined) checkChoice('format', format, ['jsonl', 'json', 'csv']);
  if (pages !== undefined) checkPages(pages);
  if (requestsPerSecond !== undefined) checkPositive('requestsPerSecond', requestsPerSecond);
  const pace = requestsPerSecond === undefined ? undefined : new Pace(1000 / requestsPerSecond);
  const sending: BodyOptions = {
    ...rest,
    ...(pace ? { beforeRequest: (signal: AbortSignal) => pace.turn(signal) } : {}),
  };
  const steps = path === undefined ? [] : parsePath(path);
  if (steps.length > 0 && format !== undefined && format !== 'json') {
    throw new EtlError(
      'INVALID_ARGUMENT',
      `path says where documents stand in JSON, not in ${format}`,
    );
  }
  const known = oneOrMany(requests);
  const inputs = known?.map((request) => httpInput(request, sending));
  let spent = false;
  return {
    name: 'httpSource',
    get spent() {
      return spent;
    },
    batches(signal, wants, from) {
      const columns: KeptColumns = { types: undefined };
      const decode = chooseDecoder(format, steps, csv, columns);
      if (inputs?.length && pages === undefined && concurrency === 1) {
        const source = createTextSource('httpSource', 'ordinal', inputs, rest, decode);
        return source.batches(signal, wants, from);
      }
      const paging = {
        pages,
        concurrency,
        sending,
        decode,
        keptColumns: columns,
        path: steps,
      };
      spent = known === undefined && isReadOnce(requests as object);
      const list = known ?? toRequests(requests as AsyncIterable<HttpRequestInput>, signal);
      return readPages(list, { ...rest, ...paging }, signal, wants, from);
    },
  };
}

type Decode = (
  reader: ByteReader & { readonly contentType?: string | undefined },
  options: Omit<DecoderOptions, 'cursorAt'> & {
    readonly from?: { readonly offset: number };
    readonly objects?: boolean;
    readonly cursorAt?: (place: never, ordinal: number) => unknown;
  },
) => AsyncGenerator<Batch, void, void>;

/** Errors (of what it returns): CURSOR_MISMATCH for a place in another format, UNSUPPORTED. */
function chooseDecoder(
  given: HttpFormat | undefined,
  path: Path,
  csv: CsvRowOptions | undefined,
  columns: KeptColumns,
): Decode {
  return (reader, options) => {
    const format = given ?? formatOf(reader.contentType, options.source ?? '', path);
    if (options.from && !(MARKS[format] in options.from)) {
      throw new EtlError('CURSOR_MISMATCH', 'the answer has another format than before');
    }
    if (format === 'jsonl') return decodeLines(reader, options as JsonlOptions);
    if (format === 'json') return decodeElements(reader, { ...(options as JsonOptions), path });
    const { ordinal: row = 0, cursorAt, documents, objects, ...rest } = options;
    columns.types = (rest as CsvOptions).from?.layout.types ?? columns.types;
    const { maxLineBytes } = rest;
    return decodeRows(reader, {
      ...(rest as CsvOptions),
      ...(maxLineBytes === undefined ? {} : { maxRowBytes: maxLineBytes }),
      ...csv,
      ...pinTypes({ ...csv }, columns.types),
      row,
      documents: documents === true || objects === true,
      cursorAt(place) {
        columns.types = place.layout.types;
        return cursorAt?.(place as never, place.row);
      },
    });
  };
}

/** What the cursors of a format have and the others' do not. */
const MARKS = { jsonl: 'line', json: 'level', csv: 'layout' } as const;

/** Errors: UNSUPPORTED. */
function formatOf(contentType: string | undefined, url: string, path: Path): HttpFormat {
  const type = (contentType ?? '').replace(/;.*/s, '').trim().toLowerCase();
  if (/\bjson-seq$/.test(type)) {
    // RFC 7464: 0x1E in front of each record, and line ends anywhere in it.
    const text = `${type} cannot be read; ask the server for JSON Lines, or name the format if it is that`;
    throw new EtlError('UNSUPPORTED', text, { place: { url } });
  }
  if (path.length > 0) return 'json';
  if (/jsonl|ndjson|jsonlines/.test(type)) return 'jsonl';
  if (/[/+]json$/.test(type)) return 'json';
  if (/\/csv$|tab-separated/.test(type)) return 'csv';
  const ending = /\.(json|csv|tsv)(\.\w+)?(\?|$)/.exec(url)?.[1];
  return ending === undefined ? 'jsonl' : ending === 'json' ? 'json' : 'csv';
}

/** Undefined for what is only known by iterating. Errors: INVALID_ARGUMENT. */
function oneOrMany(requests: unknown): HttpRequest[] | undefined {
  if (Array.isArray(requests)) return requests.map(toRequest);
  const iterates =
    typeof requests === 'object' &&
    requests !== null &&
    (Symbol.iterator in requests || Symbol.asyncIterator in requests);
  return iterates ? undefined : [toRequest(requests as HttpRequestInput)];
}

async function* toRequests(
  requests: Iterable<HttpRequestInput> | AsyncIterable<HttpRequestInput>,
  signal: AbortSignal,
): AsyncGenerator<HttpRequest, void, void> {
  for await (const request of iterateUntil(requests, signal)) yield toRequest(request);
}

function toRequest(input: HttpRequestInput): HttpRequest {
  const request = typeof input === 'string' || input instanceof URL ? { url: input } : input;
  parseUrl(request.url);
  return request;
}

/** Turns at even distances. */
class Pace {
  readonly #everyMs: number;
  #next = 0;

  constructor(everyMs: number) {
    this.#everyMs = everyMs;
  }

  async turn(signal: AbortSignal): Promise<void> {
    const now = performance.now();
    const mine = Math.max(now, this.#next);
    this.#next = mine + this.#everyMs;
    await waitMs(mine - now, signal);
  }
}
