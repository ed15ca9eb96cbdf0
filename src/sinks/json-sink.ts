/** Documents to one JSON array: a file, standard output or a stream; compressed or not. */
import type { Writable } from 'node:stream';
import type { Batch } from '../core/batch.ts';
import type { Sink } from '../core/stage.ts';
import { compressionByName } from '../io/compress.ts';
import { sharedKernel } from '../kernels/index.ts';
import { SinkStream } from '../streams/sink-stream.ts';
import { refuseFolder } from './folder-options.ts';
import type { JsonlSinkOptions, JsonlSinkSummary } from './jsonl-sink.ts';
import { isFile, openTextTarget, type TextTarget } from './text-target.ts';

const NEWLINE = 10;
const COMMA = 44;

/**
 * Writes one JSON array, a document on each line; `[]` where there is none. Targets, options, summary
 * and errors are those of `jsonlSink`.
 */
export function jsonSink(
  target: string | Writable,
  options: JsonlSinkOptions = {},
): SinkStream<JsonlSinkSummary> {
  refuseFolder('jsonSink', options);
  const { signal, ...rest } = options;
  const sink = createJsonSink(target, rest);
  return new SinkStream(sink, sharedKernel().codec, signal ? { signal } : {});
}

function createJsonSink(
  target: string | Writable,
  options: Omit<JsonlSinkOptions, 'signal'>,
): Sink<JsonlSinkSummary> {
  const { compression = typeof target === 'string' ? compressionByName(target) : 'none' } = options;
  let text: TextTarget | undefined;
  let documents = 0;
  let bytes = 0;
  const write = async (piece: Uint8Array): Promise<void> => {
    bytes += piece.byteLength;
    await text!.write(piece);
  };
  return {
    name: 'jsonSink',
    get atomic() {
      return isFile(target);
    },
    get satisfied() {
      return text?.closed === true;
    },
    async open(_signal, run) {
      documents = 0;
      bytes = 0;
      text = await openTextTarget(target, compression, run);
    },
    async write(batch: Batch) {
      if (batch.length === 0) return;
      await write(Buffer.from(documents === 0 ? '[\n' : ',\n'));
      documents += batch.length;
      await write(separate(batch.denseLines().bytes, batch.length));
    },
    async finish() {
      await write(Buffer.from(documents === 0 ? '[]\n' : '\n]\n'));
      return { documents, bytes, bytesWritten: await text!.finish() };
    },
    async abort() {
      await text?.abort();
    },
  };
}

/** Lines with a comma in front of each line end but the last, which goes. */
function separate(lines: Uint8Array, count: number): Uint8Array {
  const end = lines.at(-1) === NEWLINE ? lines.length - 1 : lines.length;
  const out = new Uint8Array(end + count - 1);
  let from = 0;
  let at = 0;
  for (let i = 1; i < count; i++) {
    const next = lines.indexOf(NEWLINE, from);
    out.set(lines.subarray(from, next), at);
    at += next - from;
    out[at++] = COMMA;
    out[at++] = NEWLINE;
    from = next + 1;
  }
  out.set(lines.subarray(from, end), at);
  return out;
}
