/**
 * Reads a data file in pieces that end at line ends, one read ahead of the consumer; or on the
 * calling thread, each when it is asked for.
 */
import { EtlError } from '../core/errors.ts';
import type { DiskFile } from '../io/disk.ts';
import type { SyncFile } from './scan-snapshot.ts';

/** Whole lines of a file. */
export interface Piece {
  readonly bytes: Uint8Array;
  /** File offset of the first byte. */
  readonly base: number;
  /** What it was read into. */
  readonly memory: Uint8Array;
}

export interface PieceOptions {
  /** Bytes of a piece, more where a line is longer. Default 1 MiB. */
  readonly pieceBytes?: number | undefined;
  /**
   * True when the consumer is done with a piece before it asks for the next: two buffers then
   * serve for all. Default false: every piece has its own memory.
   */
  readonly reuse?: boolean;
  /** Memory to read into: of pieces that the consumer has done with and put here. */
  readonly spare?: Uint8Array[] | undefined;
}

/** The lines in [from, to); the last may lack its newline. */
export async function* readPieces(
  file: DiskFile,
  from: number,
  to: number,
  options: PieceOptions = {},
): AsyncGenerator<Piece, void, void> {
  const { pieceBytes = 1 << 20, reuse = false, spare = [] } = options;
  let size = pieceBytes;
  const fetch = async (base: number, bytes: number): Promise<Piece> => {
    const wanted = Math.min(bytes, to - base);
    const kept = spare.pop();
    const memory = kept !== undefined && kept.length >= wanted ? kept : allocateAligned(wanted);
    const target = memory.subarray(0, wanted);
    if ((await file.read(target, base)) < wanted) throw shrunk(file.path, base);
    return { bytes: target, base, memory };
  };
  const begin = (base: number, bytes: number): Promise<Piece> => {
    const piece = fetch(base, bytes);
    // Who comes for it hears of a failure; while the piece before is worked on nobody listens.
    piece.catch(() => undefined);
    return piece;
  };
  let next: Promise<Piece> | undefined = from < to ? begin(from, size) : undefined;
  try {
    while (next !== undefined) {
      const { bytes, base, memory } = await next;
      next = undefined;
      const ended = base + bytes.length >= to;
      const length = ended ? bytes.length : bytes.lastIndexOf(10) + 1;
      if (length === 0) {
        size = bytes.length * 2;
        spare.length = 0;
        next = begin(base, size);
        continue;
      }
      if (!ended) {
        size = pieceBytes;
        next = begin(base + length, size);
      }
      yield { bytes: bytes.subarray(0, length), base, memory };
      if (reuse) spare.push(memory);
    }
  } finally {
    // A consumer that leaves must not close the file under the read that went ahead.
    await next?.catch(() => undefined);
  }
}

/** The same without promises. A piece is good until the next one is asked for. */
export function* readPiecesSync(
  file: SyncFile,
  from: number,
  to: number,
  pieceBytes: number = 1 << 20,
): Generator<Piece, void, void> {
  let memory = allocateAligned(Math.min(pieceBytes, to - from));
  for (let base = from; base < to; ) {
    const bytes = memory.subarray(0, Math.min(memory.length, to - base));
    if (file.readSync(bytes, base) < bytes.length) throw shrunk(file.path, base);
    const ended = base + bytes.length >= to;
    const length = ended ? bytes.length : bytes.lastIndexOf(10) + 1;
    if (length > 0) yield { bytes: bytes.subarray(0, length), base, memory };
    else memory = allocateAligned(memory.length * 2);
    base += length;
  }
}

function shrunk(path: string, offset: number): EtlError {
  return new EtlError('CORRUPTED_DATA', 'the data file shrank while it was read', {
    place: { path, offset },
  });
}

/**
 * Memory whose first byte stands at a multiple of 64: the system copies into such memory several
 * times faster. A large allocation starts 16 bytes into a page.
 */
function allocateAligned(size: number): Uint8Array {
  return new Uint8Array(Buffer.allocUnsafeSlow(size + 48).buffer, 48, size);
}
