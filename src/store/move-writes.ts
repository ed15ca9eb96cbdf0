/**
 * What came to a writer while its collection was written anew, brought to the writer of the new files:
 * lines, deletes and commits in their order, so that each commit covers what it would have covered.
 * Most is moved while more is coming; the rest in one turn, so that nothing comes in between.
 */
import type { DiskFile } from '../io/disk.ts';
import { readPieces } from './pieces.ts';
import type { PreparedLines } from './prepare.ts';
import type { Writer } from './writer.ts';

/** So much may be moved in one turn. */
const LAST_BYTES = 1 << 20;
/** Whoever writes faster than this moves has to wait in the end. */
const MOST_ROUNDS = 16;

/** A delete or a commit of a writer on hold, and how much data there was before it. */
interface Happening {
  readonly at: number;
  /** Does the same on another writer. */
  readonly repeat: (writer: Writer) => void;
}

/** The time in which the commits of a writer wait. */
export class Hold {
  /** Where the data ended when it began. */
  readonly start: number;
  /** Resolves when it ends. */
  readonly ended: Promise<void>;
  end: () => void = () => undefined;
  readonly #happenings: Happening[] = [];

  constructor(start: number) {
    this.start = start;
    this.ended = new Promise((resolve) => {
      this.end = resolve;
    });
  }

  note(at: number, repeat: Happening['repeat']): void {
    this.#happenings.push({ at, repeat });
  }

  /** Takes out what happened before the data went past `end`, in order. */
  take(end: number): Happening[] {
    const later = this.#happenings.findIndex(({ at }) => at > end);
    return this.#happenings.splice(0, later < 0 ? this.#happenings.length : later);
  }
}

/** How writes are moved. */
export interface MoveOptions {
  /** The file of the writer that they are moved from. */
  readonly data: DiskFile;
  /** Finds the lines in bytes that a writer has taken. */
  readonly cut: (bytes: Uint8Array) => PreparedLines;
  /** Runs in the turn in which the last of them was moved. */
  readonly then: () => void;
}

/** Moves all writes of `from`, which is on hold. Errors: IO_ERROR, POISONED. */
export async function moveWrites(
  from: Writer,
  to: Writer,
  { data, cut, then }: MoveOptions,
): Promise<void> {
  const held = from.held!;
  let moved = held.start;
  const move = (bytes: Uint8Array): void => {
    const base = moved;
    const end = base + bytes.length;
    const moveTo = (next: number): void => {
      if (next > moved) to.take(cut(bytes.subarray(moved - base, next - base)));
      moved = next;
    };
    for (const { at, repeat } of held.take(end)) {
      moveTo(at);
      repeat(to);
    }
    moveTo(end);
  };
  for (let round = 0; round < MOST_ROUNDS && from.end - moved > LAST_BYTES; round++) {
    const { end } = from;
    await from.drain();
    for await (const { bytes } of readPieces(data, moved, end)) {
      move(bytes);
      await to.drain();
    }
  }
  await from.drain();
  from.check();
  move(from.copyFrom(moved));
  then();
}
