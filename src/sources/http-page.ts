/**
 * One body among several, read ahead of its turn up to a bound: then nobody reads from the connection,
 * and the sender waits. And what is kept of a body that has been read.
 */
import type { Batch } from '../core/batch.ts';
import { EtlError } from '../core/errors.ts';
import { redactUrl } from '../core/redact.ts';
import { joinBytes } from '../formats/chunk-reader.ts';
import { batchBytesOf } from '../formats/jsonl.ts';
import { type BodyOptions, type HttpBody, openBody } from '../io/http-body.ts';
import { type HttpRequest, parseUrl } from '../io/http-exchange.ts';
import { openEncoded } from './byte-input.ts';
import type { InputReader } from './input-place.ts';

/** Bytes read of a body before its turn, as they come, and one chunk of the connection at most. */
const AHEAD_BYTES = 1 << 20;

/** Turns a body into batches, and closes it. */
export type DecodeBody = (
  reader: InputReader,
  options: object,
) => AsyncGenerator<Batch, void, void>;

/** Asks for a page. Errors: those of `openBody`. */
export async function openPage(
  request: HttpRequest,
  options: BodyOptions,
  signal: AbortSignal,
): Promise<Page> {
  const body = await openBody(request, options, signal);
  return new Page(parseUrl(request.url).url, body);
}

/** A page that has been answered. */
export class Page {
  /** What was asked for. */
  readonly url: URL;
  /** Resolves when nothing more comes from the connection. */
  readonly ended: Promise<void>;
  readonly #body: HttpBody;
  readonly #ahead: Uint8Array[] = [];
  /** Set while nobody but the reading ahead reads. */
  #filling: Promise<void> | undefined;
  #isTurn = false;
  #end: () => void = () => {};

  constructor(url: URL, body: HttpBody) {
    this.url = url;
    this.#body = body;
    this.ended = new Promise((resolve) => {
      this.#end = resolve;
    });
  }

  get headers(): Headers {
    return this.#body.headers;
  }

  /** Where the answer came from, behind redirects. */
  get answeredBy(): URL {
    return this.#body.url;
  }

  /** Begins to read before its turn. A failure is told when its turn has come. */
  readAhead(): void {
    if (this.#isTurn) return;
    this.#filling = this.#fill();
    this.#filling.catch(() => {});
  }

  /** The plain bytes; `kept` is told of them as they come. Errors: CORRUPTED_INPUT, those of the body. */
  open(
    options: { readonly batchBytes?: number },
    signal: AbortSignal,
    kept?: KeptBody,
  ): Promise<InputReader> {
    const place = { url: redactUrl(this.url) };
    const contentType = this.headers.get('content-type') ?? undefined;
    const at = { name: place.url, input: 0, contentType };
    const how = { signal, chunkBytes: batchBytesOf(options), at };
    return openEncoded(this.#body, this.#chunks(), place, this.url.pathname, how, kept);
  }

  async #fill(): Promise<void> {
    for (let bytes = 0; bytes < AHEAD_BYTES && !this.#isTurn; ) {
      const step = await this.#body.chunks.next();
      if (step.done) {
        this.#end();
        return;
      }
      this.#ahead.push(step.value);
      bytes += step.value.length;
    }
  }

  async *#chunks(): AsyncGenerator<Uint8Array, void, void> {
    this.#isTurn = true;
    try {
      const failed = await this.#filling?.then(
        () => undefined,
        (error: unknown) => ({ error }),
      );
      for (let chunk = this.#ahead.shift(); chunk; chunk = this.#ahead.shift()) yield chunk;
      if (failed) throw failed.error;
      yield* this.#body.chunks;
    } finally {
      this.#end();
    }
  }
}

/** A body's text, as much of it as is told to be kept. */
export class KeptBody {
  readonly #url: URL;
  readonly #maxBytes: number;
  /** With so many containers open the documents of the array stand, of which the first few do. */
  readonly #level: number | undefined;
  #kept: Uint8Array[] = [];
  #keptBytes = 0;
  /** Of which nothing has been said yet. */
  #open: Uint8Array = new Uint8Array(0);
  #openAt = 0;
  #isInside = false;

  constructor(url: URL, options: { maxBytes: number; level: number | undefined }) {
    this.#url = url;
    this.#maxBytes = options.maxBytes;
    this.#level = options.level;
  }

  /** Errors: LIMIT_EXCEEDED. */
  add(bytes: Uint8Array): void {
    if (this.#level === undefined) this.#keep(bytes);
    else this.#open = joinBytes([this.#open, bytes], this.#open.length + bytes.length);
    if (this.#keptBytes + this.#open.length <= this.#maxBytes) return;
    const place = { url: redactUrl(this.#url) };
    const what = `more than ${this.#maxBytes} bytes of the page are needed to find the next`;
    throw new EtlError('LIMIT_EXCEEDED', `${what}; raise maxPageBytes`, { place });
  }

  /** Documents reach up to here. Those behind the first ones of an array are dropped. */
  passed({ offset, level }: { offset: number; level?: number }): void {
    if (this.#level === undefined || level !== this.#level) return;
    const length = offset - this.#openAt;
    if (!this.#isInside) this.#keep(this.#open.slice(0, length));
    this.#isInside = true;
    this.#open = this.#open.subarray(length);
    this.#openAt = offset;
  }

  /** JSON, if the body is: what was dropped were documents and commas. */
  text(): string {
    const decoder = new TextDecoder();
    const first = decoder.decode(joinBytes(this.#kept, this.#keptBytes));
    const rest = decoder.decode(this.#open);
    if (!this.#isInside) return first + rest;
    // What was passed may end on either side of a comma, as the pieces came.
    const [before, behind] = [first.trimEnd(), rest.trimStart()];
    const start = before.endsWith(',') ? before.slice(0, -1) : before;
    const end = behind.startsWith(',') ? behind.slice(1).trimStart() : behind;
    return end.startsWith(']') ? start + end : `${start},${end}`;
  }

  #keep(bytes: Uint8Array): void {
    this.#kept.push(bytes);
    this.#keptBytes += bytes.length;
  }
}
