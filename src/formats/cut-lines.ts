/**
 * Cuts a byte stream at line ends into blocks of whole lines. Knows nothing of JSON.
 *
 * The rest of a cut line is handed to the reader as the beginning of its next answer. A line that
 * spans many answers is collected in parts and joined once, so its cost is linear. A line longer
 * than `maxLineBytes` (line end excluded) is reported and passed over in constant memory. The next
 * read is under way while a block is being worked on.
 */
import type { ByteReader } from '../core/stage.ts';
import { joinBytes } from './chunk-reader.ts';

/** Whole lines, the last one of the input perhaps without its line end. */
export interface LineBlock {
  readonly bytes: Uint8Array;
  /** Offset of the first byte in the input. */
  readonly offset: number;
  /** Set when this is one line that is too long: then `bytes` is only its beginning. */
  readonly tooLong?: true;
  /** Offset after the block, the whole of a line that is too long included. */
  readonly end: number;
  /** What the reader answered, where nothing else is made of it. */
  readonly piece?: Uint8Array;
}

const NEWLINE = 10;
/** Bytes kept of a line that is too long. */
const HEAD_BYTES = 4096;
const NOTHING = new Uint8Array(0);

/** Errors: the reader's, unchanged. Does not close the reader. */
export async function* cutLines(
  reader: ByteReader,
  options: { readonly maxLineBytes: number; readonly offset: number },
): AsyncGenerator<LineBlock, void, void> {
  const { maxLineBytes } = options;
  let offset = options.offset;
  let carry: Uint8Array = NOTHING;
  let parts: Uint8Array[] = [];
  let held = 0;
  let overlong: { head: Uint8Array; start: number } | undefined;
  let next = reader.read(NOTHING);
  try {
    for (;;) {
      const piece = await next;
      if (piece === undefined) break;
      let fresh = piece;
      if (overlong) {
        const newline = piece.indexOf(NEWLINE);
        if (newline < 0) {
          offset += piece.byteLength;
          next = reader.read(NOTHING);
          continue;
        }
        offset += newline + 1;
        yield { bytes: overlong.head, offset: overlong.start, tooLong: true, end: offset };
        overlong = undefined;
        fresh = piece.subarray(newline + 1);
      }
      // The carry was copied into the piece and has no line end; look in what is new only.
      const cut = fresh.lastIndexOf(NEWLINE) + 1;
      if (cut === 0) {
        carry = NOTHING;
        parts.push(fresh);
        held += fresh.byteLength;
        if (held > maxLineBytes) {
          const size = Math.min(held, HEAD_BYTES);
          const head = parts[0]!.byteLength >= size ? parts[0]! : joinBytes(parts, held);
          overlong = { head: head.slice(0, size), start: offset };
          offset += held;
          parts = [];
          held = 0;
        }
        next = reader.read(NOTHING);
        continue;
      }
      carry = fresh.subarray(cut);
      next = reader.read(carry);
      next.catch(() => {});
      let bytes = fresh.subarray(0, cut);
      const isWhole = parts.length === 0 && cut <= maxLineBytes;
      if (parts.length > 0) {
        bytes = joinBytes([...parts, bytes], held + cut);
        parts = [];
        held = 0;
      }
      const end = offset + bytes.byteLength;
      if (isWhole) yield { bytes, offset, end, piece };
      else yield* splitOverlong(bytes, offset, maxLineBytes);
      offset = end;
    }
    if (overlong) {
      if (reader.endsMidLine) return;
      yield { bytes: overlong.head, offset: overlong.start, tooLong: true, end: offset };
      return;
    }
    if (reader.endsMidLine) return;
    const last = parts.length > 0 ? joinBytes(parts, held) : carry;
    if (last.byteLength > 0) yield* splitOverlong(last, offset, maxLineBytes);
  } finally {
    next.catch(() => {});
  }
}

/** A block as it is, or cut around its lines that are too long. */
function* splitOverlong(bytes: Uint8Array, offset: number, max: number): Generator<LineBlock> {
  if (bytes.byteLength <= max) {
    yield { bytes, offset, end: offset + bytes.byteLength };
    return;
  }
  let from = 0;
  for (let start = 0; start < bytes.byteLength; ) {
    const newline = bytes.indexOf(NEWLINE, start);
    const end = newline < 0 ? bytes.byteLength : newline;
    const after = newline < 0 ? end : newline + 1;
    if (end - start > max) {
      if (start > from) {
        yield { bytes: bytes.subarray(from, start), offset: offset + from, end: offset + start };
      }
      const head = bytes.slice(start, Math.min(end, start + HEAD_BYTES));
      yield { bytes: head, offset: offset + start, tooLong: true, end: offset + after };
      from = after;
    }
    start = after;
  }
  if (from < bytes.byteLength) {
    yield {
      bytes: bytes.subarray(from),
      offset: offset + from,
      end: offset + bytes.byteLength,
    };
  }
}
