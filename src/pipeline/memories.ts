/**
 * What transforms remember that is too much to be committed whole each time: bytes that are added to a
 * journal beside the sink, each written once, with their count in every checkpoint.
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

interface Memory {
  readonly journal: RunJournal;
  readonly turn: number;
  byteLength: number;
}

export class Memories {
  readonly #run: string;
  readonly #transforms: readonly NamedTransform[];
  readonly #sink: Sink<unknown>;
  #open = new Map<string, Memory>();

  constructor(run: string, transforms: readonly NamedTransform[], sink: Sink<unknown>) {
    this.#run = run;
    this.#transforms = transforms.filter(({ transform }) => transform.recall);
    this.#sink = sink;
  }

  /** False if transforms remember what the sink has no place for; then only a run from its start is right. */
  get fit(): boolean {
    return this.#transforms.length === 0 || this.#sink.openJournal !== undefined;
  }

  /**
   * Gives the transforms back what they remembered at a checkpoint; nothing where that does not tell,
   * and then in the journal that `committed` does not tell of. Errors: CURSOR_MISMATCH, IO_ERROR.
   */
  async recall(marks: MemoryMarks = {}, committed: MemoryMarks = marks): Promise<void> {
    await this.close();
    for (const { key, transform } of this.#transforms) {
      if (!this.#sink.openJournal) {
        transform.recall!(NOTHING);
        continue;
      }
      const fresh = { turn: committed[key]?.turn === 0 ? 1 : 0, byteLength: 0 };
      const { turn, byteLength } = marks[key] ?? fresh;
      const name = JSON.stringify([this.#run, key, turn]);
      const journal = await this.#sink.openJournal(name);
      this.#open.set(key, { journal, turn, byteLength });
      transform.recall!(await journal.recall(byteLength));
    }
  }

  /** Takes what is new; it is durable after `sync`. */
  mark(): MemoryMarks | undefined {
    if (this.#transforms.length === 0) return undefined;
    const marks: Record<string, MemoryMark> = {};
    for (const { key, transform } of this.#transforms) {
      const bytes = transform.additions!();
      const memory = this.#open.get(key);
      if (!memory) continue;
      if (bytes.length > 0) memory.journal.append(bytes);
      memory.byteLength += bytes.length;
      marks[key] = { turn: memory.turn, byteLength: memory.byteLength };
    }
    return this.fit ? marks : undefined;
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
}

const NOTHING = new Uint8Array(0);
