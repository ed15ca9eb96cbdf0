/**
 * What a text source reads from: paths, patterns, URLs, standard input, streams or iterables of
 * bytes, each turned into inputs that open when they are read, one after the other.
 */
import { fileURLToPath } from 'node:url';
import { EtlError, type Place } from '../core/errors.ts';
import type { ByteReader } from '../core/stage.ts';
import { readChunks } from '../formats/chunk-reader.ts';
import { decompress, detectCompression, SNIFF_BYTES } from '../io/decompress.ts';
import { openFileReader, readerChunks } from '../io/file-reader.ts';
import { expandPaths } from '../io/glob.ts';

type ByteStream = AsyncIterable<Uint8Array> | Iterable<Uint8Array>;

/**
 * A path or pattern (`logs/*.jsonl.gz`), several of them, a `file:`, `http:` or `https:` URL, `-` or
 * `stdin` for standard input, or anything that gives bytes.
 */
export type ByteInput = string | URL | readonly (string | URL)[] | ByteStream;

export interface OpenInput {
  /** Path, URL or name, for messages. */
  readonly name: string;
  /** Opens the input. Errors: IO_ERROR naming it. */
  open(signal: AbortSignal, chunkBytes: number): Promise<ByteReader>;
}

/** The inputs in reading order. Errors: IO_ERROR, INVALID_PATH, INVALID_ARGUMENT. */
export async function listInputs(input: ByteInput): Promise<OpenInput[]> {
  if (!isNames(input)) return [streamInput('stream', () => input)];
  const names = typeof input === 'string' || input instanceof URL ? [input] : input;
  if (names.length === 0) throw new EtlError('INVALID_ARGUMENT', 'there is nothing to read');
  const inputs: OpenInput[] = [];
  for (const name of names) inputs.push(...(await namedInputs(name)));
  return inputs;
}

function isNames(input: ByteInput): input is string | URL | readonly (string | URL)[] {
  if (typeof input === 'string' || input instanceof URL) return true;
  return (
    Array.isArray(input) && input.every((name) => typeof name === 'string' || name instanceof URL)
  );
}

async function namedInputs(name: string | URL): Promise<OpenInput[]> {
  const text = String(name);
  if (text === '-' || text === 'stdin') return [streamInput('stdin', () => process.stdin)];
  if (/^https?:\/\//i.test(text)) return [urlInput(text)];
  const path = text.startsWith('file:') ? fileURLToPath(text) : text;
  return (await expandPaths([path])).map(fileInput);
}

function fileInput(path: string): OpenInput {
  return {
    name: path,
    async open(_signal, chunkBytes) {
      const reader = await openFileReader(path, { chunkBytes });
      try {
        const compression = detectCompression(await reader.peek(SNIFF_BYTES), path);
        if (compression === 'none') return reader;
        const plain = decompress(readerChunks(reader), compression, { path });
        return closingToo(readChunks(plain, { chunkBytes }), reader);
      } catch (error) {
        await reader.close();
        throw error;
      }
    },
  };
}

/** Closing passes through the decompressor in its own time; this waits for the file itself. */
function closingToo(reader: ByteReader, file: ByteReader): ByteReader {
  return {
    read: (carry) => reader.read(carry),
    async close() {
      await reader.close();
      await file.close();
    },
  };
}

function urlInput(url: string): OpenInput {
  return {
    name: url,
    async open(signal, chunkBytes) {
      const body = await fetchBody(url, signal);
      return openStream(body, { url }, new URL(url).pathname, signal, chunkBytes);
    },
  };
}

async function fetchBody(url: string, signal: AbortSignal): Promise<ByteStream> {
  const place = { url };
  try {
    const response = await fetch(url, { signal });
    if (!response.ok) throw new EtlError('IO_ERROR', `answered ${response.status}`, { place });
    return (response.body ?? []) as ByteStream;
  } catch (cause) {
    if (signal.aborted) throw signal.reason;
    if (cause instanceof EtlError) throw cause;
    throw new EtlError('IO_ERROR', 'cannot be fetched', { place, cause });
  }
}

function streamInput(name: string, stream: () => ByteStream): OpenInput {
  return {
    name,
    open: (signal, chunkBytes) => openStream(stream(), { path: name }, name, signal, chunkBytes),
  };
}

async function openStream(
  stream: ByteStream,
  place: Place,
  name: string,
  signal: AbortSignal,
  chunkBytes: number,
): Promise<ByteReader> {
  const reader = readChunks(asBytes(stream, place), { chunkBytes: SNIFF_BYTES, signal });
  const head = await reader.read(new Uint8Array(0));
  const compression = detectCompression(head ?? new Uint8Array(0), name);
  const whole = withHead(head, reader);
  return readChunks(decompress(whole, compression, place), { chunkBytes, signal });
}

async function* withHead(
  head: Uint8Array | undefined,
  reader: ByteReader,
): AsyncGenerator<Uint8Array> {
  try {
    if (head) yield head;
    yield* readerChunks(reader);
  } finally {
    await reader.close();
  }
}

/** Bytes as they come; text chunks of foreign streams are encoded, anything else is refused. */
async function* asBytes(stream: ByteStream, place: Place): AsyncGenerator<Uint8Array> {
  const encoder = new TextEncoder();
  try {
    for await (const chunk of stream as AsyncIterable<unknown>) {
      if (chunk instanceof Uint8Array) yield chunk;
      else if (typeof chunk === 'string') yield encoder.encode(chunk);
      else {
        throw new EtlError('INVALID_ARGUMENT', `expected bytes, found ${typeof chunk}`, { place });
      }
    }
  } catch (cause) {
    if (cause instanceof EtlError || place.url === undefined) throw cause;
    throw new EtlError('IO_ERROR', 'the download failed', { place, cause });
  }
}
