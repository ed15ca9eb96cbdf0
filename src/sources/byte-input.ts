/**
 * What a text source reads from: paths, patterns, URLs, standard input, streams or iterables of
 * bytes, each turned into inputs that open when they are read, one after the other.
 *
 * Going on from a place: inputs before the one it names are passed over, also when they are gone by
 * now. Plain files are opened at the place; everything else is read, decompressed and passed over up
 * to it. An input that has come to stand before the place would never be read, so it is an error.
 */
import { sourcePlace } from '../core/batch.ts';
import { EtlError, type Place } from '../core/errors.ts';
import { isReadOnce } from '../core/iterate.ts';
import { isHttpUrl, redactUrl } from '../core/redact.ts';
import type { ByteReader, Wants } from '../core/stage.ts';
import { readChunks } from '../formats/chunk-reader.ts';
import {
  compressionByEncoding,
  decompress,
  detectCompression,
  isTooShortToTell,
  nameInside,
  SNIFF_BYTES,
} from '../io/decompress.ts';
import { type FileReader, openFileReader, readerChunks } from '../io/file-reader.ts';
import { expandPaths } from '../io/glob.ts';
import { type BodyOptions, type HttpBody, openBody } from '../io/http-body.ts';
import type { HttpRequest } from '../io/http-exchange.ts';
import { isNamedPipe, openNamedPipe } from '../io/named-pipe.ts';
import { isTerminalInput } from '../io/own-descriptor.ts';
import { standardInput } from '../io/standard-input.ts';
import { encodeTexts } from './encode-texts.ts';
import {
  HEAD_BYTES,
  type InputName,
  type InputPlace,
  type InputReader,
  readBehind,
  readFrom,
  readThrough,
  TAIL_BYTES,
} from './input-place.ts';

type ByteStream = AsyncIterable<Uint8Array> | Iterable<Uint8Array>;

/**
 * A path or pattern (`logs/*.jsonl.gz`), several of them, a `file:`, `http:` or `https:` URL, `-` or
 * `stdin` for standard input, or anything that gives bytes (or text, which is encoded as UTF-8).
 */
export type ByteInput = string | URL | readonly (string | URL)[] | ByteStream;

/** An input not opened yet. */
export interface Input {
  /** Path, redacted URL or name. */
  readonly name: string;
  /** Set for a file that can be opened again; not for a named pipe. */
  readonly path?: string;
  /** What has been opened cannot be read from the start again. */
  readonly once?: boolean;
  open(how: OpenHow): Promise<InputReader>;
}

/** How an input is opened: what ends it, how much to read at a time, and from where. */
export interface OpenHow {
  readonly signal: AbortSignal;
  readonly chunkBytes: number;
  /** Which one it is among its siblings. */
  readonly at: InputName;
  readonly from?: InputPlace | undefined;
}

/** How all of them are opened. */
interface OpenAll extends Pick<OpenHow, 'signal' | 'chunkBytes'>, Pick<Wants, 'rejects'> {}

/** An input that has been opened, for the caller to close, and where in it the reading begins. */
export interface OpenedInput<P extends InputPlace> {
  readonly name: string;
  /** As in `Input`. */
  readonly path: string | undefined;
  readonly reader: InputReader;
  /** The place given, where it is in this input. */
  readonly from: P | undefined;
}

/** The inputs of a source. */
export class Inputs {
  readonly #input: ByteInput | readonly Input[];
  #spent = false;

  constructor(input: ByteInput | readonly Input[]) {
    this.#input = input;
  }

  /** As in `Source`. */
  get spent(): boolean {
    return this.#spent;
  }

  /**
   * Opens one input after the other, from the place given on. The caller closes each before the next.
   * Errors: IO_ERROR and HTTP_ERROR naming what cannot be opened, INVALID_PATH, INVALID_ARGUMENT,
   * CURSOR_MISMATCH.
   */
  async *open<P extends InputPlace = InputPlace>(
    options: OpenAll,
    from?: P,
  ): AsyncGenerator<OpenedInput<P>, void, void> {
    const input = this.#input;
    const inputs = isInputs(input)
      ? input
      : await listInputs(input, options.rejects, from !== undefined);
    const first = from ? findInput(inputs, from) : 0;
    for (let i = first; i < inputs.length; i++) {
      options.signal.throwIfAborted();
      const { name, path, once = false, open } = inputs[i]!;
      const place = i === first ? from : undefined;
      this.#spent ||= once;
      const reader = await open({ ...options, at: { name, input: i }, from: place });
      yield { name, path, reader, from: place };
    }
  }
}

/**
 * The inputs in reading order. With `late`, what is missing is said when it is opened.
 * Errors: IO_ERROR, INVALID_PATH, INVALID_ARGUMENT.
 */
async function listInputs(
  input: ByteInput,
  rejects: string | undefined,
  late: boolean,
): Promise<Input[]> {
  if (!isNames(input)) return [streamInput('stream', () => input, isReadOnce(input))];
  const names = typeof input === 'string' || input instanceof URL ? [input] : input;
  if (names.length === 0) throw new EtlError('INVALID_ARGUMENT', 'there is nothing to read');
  const inputs: Input[] = [];
  for (const name of names) {
    try {
      inputs.push(...(await namedInputs(name, rejects)));
    } catch (error) {
      if (!late) throw error;
      inputs.push({ name: String(name), open: () => Promise.reject(error) });
    }
  }
  return inputs;
}

/** Errors: CURSOR_MISMATCH when the place's input is gone, or others have come before it. */
function findInput(inputs: readonly Input[], { source, input }: InputPlace): number {
  const place = sourcePlace(source);
  const names = inputs.map(({ name }) => name);
  const found = names.lastIndexOf(source, input);
  if (found >= 0) return found;
  const what = names.includes(source)
    ? 'there are inputs before it that were not there when the cursor was made'
    : 'is no longer among the inputs';
  throw new EtlError('CURSOR_MISMATCH', what, { place });
}

function isInputs(input: ByteInput | readonly Input[]): input is readonly Input[] {
  return (
    Array.isArray(input) && typeof (input[0] as Partial<Input> | undefined)?.open === 'function'
  );
}

function isNames(input: ByteInput): input is string | URL | readonly (string | URL)[] {
  if (typeof input === 'string' || input instanceof URL) return true;
  return (
    Array.isArray(input) && input.every((name) => typeof name === 'string' || name instanceof URL)
  );
}

async function namedInputs(name: string | URL, rejects: string | undefined): Promise<Input[]> {
  const text = String(name);
  if (text === '-' || text === 'stdin') return [streamInput('stdin', standardInput, true)];
  if (isHttpUrl(text)) return [httpInput({ url: text })];
  return Promise.all((await expandPaths([text], rejects)).map(fileInput));
}

async function fileInput(path: string): Promise<Input> {
  if (isTerminalInput(path)) return streamInput(path, standardInput, true);
  if (await isNamedPipe(path)) return streamInput(path, () => openNamedPipe(path), true);
  return { name: path, path, open: (how) => openFileInput(path, how) };
}

/** Opens a file, decompressed if need be. Errors: IO_ERROR naming it, CURSOR_MISMATCH. */
export async function openFileInput(
  path: string,
  { signal, chunkBytes, at, from }: OpenHow,
): Promise<InputReader> {
  const file = await openFileReader(path, { chunkBytes });
  try {
    const compression = detectCompression(await file.peek(SNIFF_BYTES), path);
    if (compression === 'none') {
      if (from === undefined || file.size === undefined) {
        return await readThrough(file, at, from, signal);
      }
      return await seekTo(file, at, from);
    }
    const plain = decompress(readerChunks(file), compression, { path });
    const reader = closingToo(readChunks(plain, { chunkBytes }), file);
    return await readThrough(reader, at, from, signal);
  } catch (error) {
    await file.close();
    throw error;
  }
}

async function seekTo(file: FileReader, at: InputName, from: InputPlace): Promise<InputReader> {
  const { offset } = from;
  const head = await file.peek(Math.min(offset, HEAD_BYTES));
  const before = Math.max(0, offset - TAIL_BYTES);
  const tail = await file.peek(offset - before, before);
  file.seek(offset);
  return readFrom(file, at, from, head, tail);
}

/** Closing passes through the decompressor in its own time; this waits for the file itself. */
function closingToo(
  reader: ByteReader,
  file: { close(): Promise<void> },
  tap?: { add(bytes: Uint8Array): void },
): ByteReader {
  return {
    async read(carry) {
      const piece = await reader.read(carry);
      if (piece) tap?.add(piece.subarray(carry.length));
      return piece;
    },
    async close() {
      await reader.close();
      await file.close();
    },
  };
}

/** An input over HTTP. */
export function httpInput(request: HttpRequest, options: BodyOptions = {}): Input {
  const url = redactUrl(request.url);
  return {
    name: url,
    async open(how) {
      const { from, signal, chunkBytes } = how;
      const known = from?.etag !== undefined && from.offset >= HEAD_BYTES;
      const range = known ? { offset: from.offset - TAIL_BYTES, etag: from.etag! } : undefined;
      const body = await openBody(request, options, signal, range);
      try {
        const contentType = body.headers.get('content-type') ?? undefined;
        const at = { ...how.at, etag: body.etag, contentType };
        if (body.start > 0) {
          const reader = closingToo(readChunks(body.chunks, { chunkBytes, signal }), body);
          return await readBehind(reader, at, from!, body.start, signal);
        }
        const { pathname } = new URL(request.url);
        return await openEncoded(body, body.chunks, { url }, pathname, { ...how, at });
      } catch (error) {
        await body.close();
        throw error;
      }
    },
  };
}

/** Opens a body that may be encoded, from its start; closed with what is opened. Errors: as `openStream`. */
export function openEncoded(
  body: HttpBody,
  chunks: AsyncIterable<Uint8Array>,
  place: Place,
  pathname: string,
  how: OpenHow,
  tap?: { add(bytes: Uint8Array): void },
): Promise<InputReader> {
  const plain = decompress(chunks, compressionByEncoding(body.encoding, place), place);
  // Also where a fetch has undone it.
  const encoding = body.headers.get('content-encoding') ?? '';
  const name = nameInside(pathname, encoding.trim().toLowerCase());
  return openStream(plain, place, name, how, body, tap);
}

/** A stream under a name, opened when it is read; `once` as in `Input`. */
export function streamInput(
  name: string,
  stream: () => ByteStream | Promise<ByteStream>,
  once: boolean,
): Input {
  return {
    name,
    once,
    open: async (how) => openStream(await stream(), { path: name }, name, how),
  };
}

/**
 * Opens a stream of bytes, decompressed if need be; `below` is closed with it, and `tap` told of every
 * piece of plain bytes. Errors: CORRUPTED_INPUT, CURSOR_MISMATCH, those of the
 * stream and of `encodeTexts`.
 */
async function openStream(
  stream: ByteStream,
  place: Place,
  name: string,
  { signal, chunkBytes, at, from }: OpenHow,
  below: { close(): Promise<void> } = { close: async () => {} },
  tap?: { add(bytes: Uint8Array): void },
): Promise<InputReader> {
  const reader = readChunks(encodeTexts(stream, place), { chunkBytes: SNIFF_BYTES, signal });
  let close = reader.close;
  try {
    let head: Uint8Array = new Uint8Array(0);
    // Whoever writes slowly may write the first bytes one by one.
    while (isTooShortToTell(head)) {
      const longer = await reader.read(head);
      if (longer === undefined) break;
      head = longer;
    }
    const compression = detectCompression(head, name);
    const whole = withHead(head, reader);
    const chunks = readChunks(decompress(whole, compression, place), { chunkBytes, signal });
    const plain = closingToo(chunks, below, tap);
    close = async () => {
      // First, as what is above may be waiting for a stream that is silent.
      await reader.close();
      await plain.close();
    };
    // The offset of compressed bytes is not that of the plain ones.
    const named = compression === 'none' ? at : { ...at, etag: undefined };
    return await readThrough({ ...plain, close }, named, from, signal);
  } catch (error) {
    await close();
    throw error;
  }
}

async function* withHead(head: Uint8Array, reader: ByteReader): AsyncGenerator<Uint8Array> {
  if (head.length > 0) yield head;
  yield* readerChunks(reader);
}
