/**
 * What transforms remember at a position of the source: asked of each as the position leaves it, since what it
 * is given afterwards may wait in a transform behind it for long.
 *
 * What is too much to be committed whole each time is bytes that are added to a journal beside the sink,
 * each written once, with their count in every checkpoint; what lies behind that is cut when it is read.
 *
 * A run that does not resume begins a journal anew, and must not touch the one that the last commit
 * tells of until it has committed itself. So each transform has two, used in turns.
 */
import type { RunJournal, Sink } from '../core/stage.ts';
import type { NamedTransform } from './checkpoint.ts';

/** Which of a transform's journals counts, and how much of it. */
export interface MemoryMark {
  readonly turn: number;
  readonly byteLength: number;
}

/** By the names that states have. */
export type MemoryMarks = Readonly<Record<string, MemoryMark>>;

/** What a transform remembers at a position. */
export interface Memory {
  /** As `save` gave it; undefined for nothing. */
  readonly state: unknown;
  /** Undefined where it has no journal. */
  readonly journal: MemoryMark | undefined;
}

interface OpenJournal {
  readonly journal: RunJournal;
  readonly turn: number;
  byteLength: number;
}

export class Memories {
  readonly #run: string;
  readonly #transforms: readonly NamedTransform[];
  readonly #sink: Sink<unknown>;
  #open = new Map<string, OpenJournal>();

  constructor(run: string, transforms: readonly NamedTransform[], sink: Sink<unknown>) {
    this.#run = run;
    this.#transforms = transforms;
    this.#sink = sink;
  }

  /** False if transforms remember what the sink has no place for; then only a run from its start is right. */
  get fit(): boolean {
    const none = this.#transforms.every(({ transform }) => !transform.recall);
    return none || this.#sink.openJournal !== undefined;
  }

  /**
   * Gives the transforms back what they remembered at a checkpoint; nothing where that does not tell,
   * and then in the journal that `committed` does not tell of. Errors: CURSOR_MISMATCH, IO_ERROR.
   */
  async recall(marks: MemoryMarks = {}, committed: MemoryMarks = marks): Promise<void> {
    await this.close();
    const markOf = (all: MemoryMarks, key: string) =>
      Object.hasOwn(all, key) ? all[key] : undefined;
    for (const { key, transform } of this.#transforms) {
      if (!transform.recall) continue;
      if (!this.#sink.openJournal) {
        transform.recall(NOTHING);
        continue;
      }
      const fresh = { turn: markOf(committed, key)?.turn === 0 ? 1 : 0, byteLength: 0 };
      const { turn, byteLength } = markOf(marks, key) ?? fresh;
      const name = JSON.stringify([this.#run, key, turn]);
      const journal = await this.#sink.openJournal(name);
      this.#open.set(key, { journal, turn, byteLength });
      transform.recall(await journal.recall(byteLength));
    }
  }

  /** What transform `i` remembers now; nothing for a sink that keeps none. Durable after `sync`. */
  take(i: number): Memory | undefined {
    const { key, transform } = this.#transforms[i]!;
    // Asked for in any case: it gathers what is new until then.
    const bytes = transform.recall && transform.additions!();
    if (!this.#sink.lastCursor) return undefined;
    return { state: transform.save?.(), journal: bytes && this.#add(key, bytes) };
  }

  takeAll(): (Memory | undefined)[] {
    return this.#transforms.map((_, i) => this.take(i));
  }

  /** Errors: IO_ERROR. */
  sync(): void {
    for (const { journal } of this.#open.values()) journal.sync();
  }

  async close(): Promise<void> {
    const open = [...this.#open.values()];
    this.#open = new Map();
    for (const { journal } of open) await journal.close().catch(() => {});
  }

  #add(key: string, bytes: Uint8Array): MemoryMark | undefined {
    const open = this.#open.get(key);
    if (!open) return undefined;
    if (bytes.length > 0) open.journal.append(bytes);
    open.byteLength += bytes.length;
    return { turn: open.turn, byteLength: open.byteLength };
  }
}

const NOTHING = new Uint8Array(0);
