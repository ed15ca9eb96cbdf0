/** The pieces of bytes that a scan works on: which of their lines are alive, and smaller ones of them. */
import { RECORD_WORDS } from '../core/batch.ts';
import { piecesOfLines } from '../formats/pieces-of-lines.ts';
import type { Kernel, LineTable } from '../kernels/index.ts';
import { deadLines, type Liveness } from './liveness.ts';
import type { Piece } from './pieces.ts';
import type { LineTally, Tally } from './scan-tally.ts';
import type { StoredLines } from './stored-lines.ts';

/** A piece of a collection as a scan works on it. */
export interface ScanPiece {
  readonly bytes: Uint8Array;
  readonly base: number;
  /** A byte per document, 0 for those alive; undefined where all are. */
  readonly skip: Uint8Array | undefined;
  /** The lines of `bytes`, where they had to be found anyway. */
  readonly table: LineTable | undefined;
  /** What `bytes` were read into, where they come from the file as they are. */
  readonly memory: Uint8Array | undefined;
  /** Hears of lines that are gone through, where there is no `table`. */
  readonly tally: LineTally;
}

/** The piece with what is known of its lines; `alive` undefined: every one is. */
export function livingPiece(
  kernel: Kernel,
  { bytes, base, memory }: Piece,
  alive: Liveness | undefined,
  tally: Tally,
): ScanPiece {
  if (alive === undefined) return { bytes, base, skip: undefined, table: undefined, memory, tally };
  const table = kernel.lines(bytes);
  const skip = deadLines(alive, table, base);
  tally.take(table, table.count);
  tally.takeLiving(skip);
  return { bytes, base, skip, table, memory, tally };
}

/** Pieces whose documents are made into objects together. */
export function* smallPieces(
  { bytes, skip, table }: ScanPiece,
  size: number,
): Generator<Pick<ScanPiece, 'bytes' | 'skip'>, void, void> {
  if (skip === undefined || table === undefined) {
    for (const part of piecesOfLines(bytes, size)) yield { bytes: part, skip };
    return;
  }
  const { records, count } = table;
  let first = 0;
  let start = 0;
  for (let i = 1; i <= count; i++) {
    const at = i < count ? records[i * RECORD_WORDS]! : bytes.length;
    if (at - start < size && i < count) continue;
    yield { bytes: bytes.subarray(start, at), skip: skip.subarray(first, i) };
    first = i;
    start = at;
  }
}

/** The stored lines at these places. */
export function* linesAt(
  stored: StoredLines,
  places: readonly (readonly [number, number])[],
): Generator<Uint8Array, void, void> {
  for (const [offset, length] of places) yield stored.view(offset, length).slice();
}

/** Single lines, without their ends, gathered into pieces of about `pieceBytes`. */
export function* gatherPieces(
  lines: Iterable<Uint8Array>,
  tally: LineTally,
  pieceBytes: number,
): Generator<ScanPiece, void, void> {
  let parts: Uint8Array[] = [];
  let size = 0;
  const piece = (): ScanPiece => {
    const bytes = new Uint8Array(Buffer.concat(parts, size));
    parts = [];
    size = 0;
    return { bytes, base: 0, skip: undefined, table: undefined, memory: undefined, tally };
  };
  for (const line of lines) {
    parts.push(line, NEWLINE);
    size += line.length + 1;
    if (size >= pieceBytes) yield piece();
  }
  if (size > 0) yield piece();
}

const NEWLINE: Uint8Array = Uint8Array.of(10);
