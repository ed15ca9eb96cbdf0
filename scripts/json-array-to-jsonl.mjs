/**
 * A JSON array of objects as JSON Lines, streamed: bytes are copied as they are, commas between the
 * objects become line ends and line ends inside them are left out. For the demo's data; says so
 * when the input is something else.
 */
import { createReadStream, createWriteStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';

/** Converts a file. Resolves to the number of documents. */
export async function convertJsonArray(from, to) {
  let documents = 0;
  const source = createReadStream(from, { highWaterMark: 1 << 20 });
  await pipeline(source, (chunks) => lines(chunks, from, () => documents++), createWriteStream(to));
  return documents;
}

async function* lines(chunks, name, count) {
  let depth = 0;
  let inString = false;
  let escaped = false;
  for await (const chunk of chunks) {
    const out = Buffer.allocUnsafe(chunk.length * 2);
    let at = 0;
    for (const byte of chunk) {
      if (inString) {
        out[at++] = byte;
        if (escaped) escaped = false;
        else if (byte === BACKSLASH) escaped = true;
        else if (byte === QUOTE) inString = false;
      } else if (byte === OPEN_ARRAY || byte === OPEN_OBJECT) {
        if (depth++ > 0) out[at++] = byte;
        else if (byte === OPEN_OBJECT) throw new Error(`${name} is no JSON array`);
      } else if (byte === CLOSE_ARRAY || byte === CLOSE_OBJECT) {
        if (--depth > 0) out[at++] = byte;
        if (depth !== 1) continue;
        out[at++] = LINE_END;
        count();
      } else if (depth > 1 && byte > SPACE) {
        out[at++] = byte;
        inString = byte === QUOTE;
      }
    }
    yield out.subarray(0, at);
  }
  if (depth !== 0 || inString) throw new Error(`${name} ends too early`);
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const LINE_END = 0x0a;
const SPACE = 0x20;
