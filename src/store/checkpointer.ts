/**
 * Keeps index.bin in step with a writer, and makes it current when the writer closes.
 *
 * Entries of what is appended go behind those that count. A checkpoint writes over the entries of
 * deleted documents, makes the new ones count, and names the result for the log. The file is written
 * anew, as a whole beside the old one, where that is cheaper (many entries are overridden, or many
 * documents were deleted) or the only way (another program wrote it).
 *
 * A crash on the way leaves an index.bin that the log does not name, or the old one: the next opening
 * notices. Called by the writer only, and for `make` one call at a time.
 */
import {
  type CheckpointRecord,
  type CommitRecord,
  formatSum,
  withoutDeletes,
} from './commit-log.ts';
import type { IndexAppender, IndexPoint } from './index-file.ts';
import type { Indexer } from './indexer.ts';
import type { OpenState } from './recovery.ts';
import { replaceEntries } from './replace-entries.ts';
import { type IndexSource, rewriteFromData } from './rewrite-index.ts';

/** So many documents may have been deleted at least, before index.bin is written anew. */
const FEW_DELETES = 16;
/** And one in so many entries: writing one over costs as much as writing 40 one after the other. */
const ENTRIES_PER_DELETE = 64;

/** What a checkpoint is of. */
export interface CheckpointState {
  /** Bytes of data.jsonl that are committed. */
  readonly end: number;
  readonly lines: number;
  readonly commit: CommitRecord | undefined;
}

export class Checkpointer {
  readonly #source: IndexSource;
  readonly #indexer: Indexer;
  #last: CheckpointRecord | undefined;
  #appender: IndexAppender | undefined;
  /** Documents deleted whose entries may stand in index.bin; undefined when there are too many. */
  #deleted: Set<string> | undefined = new Set();

  constructor(source: IndexSource, state: OpenState) {
    this.#source = source;
    this.#indexer = state.indexer;
    this.#appender = state.appender;
    this.#last = state.trusted ? state.checkpoint : undefined;
    for (const id of state.deleted) this.remove(id);
  }

  /** Takes the entries of lines that stand at `base`. All keys must be plain strings. */
  append(bytes: Uint8Array, records: Uint32Array, count: number, base: number): void {
    this.#appender?.append(bytes, records, 0, count, base);
  }

  /** Takes note that a document was deleted. */
  remove(id: string): void {
    this.#deleted?.add(id);
    const entries = this.#appender?.entries ?? 0;
    if (this.#deleted && this.#deleted.size > FEW_DELETES + entries / ENTRIES_PER_DELETE) {
      this.#deleted = undefined;
    }
  }

  /** Resolves when writes in the background hold at most `bytes`. Rejects with the first failure. */
  async settle(bytes: number): Promise<void> {
    await this.#appender?.tail.settle(bytes);
  }

  /** Makes index.bin durably that of `state`; undefined when it was. Errors: CORRUPTED_INDEX, IO_ERROR. */
  async make({ end, lines, commit }: CheckpointState): Promise<CheckpointRecord | undefined> {
    const { index } = this.#indexer;
    const indexSum = formatSum(index.sum);
    const old = this.#last;
    if (old === undefined ? lines === 0 : old.end === end && old.indexSum === indexSum) return;
    const point = (await this.#update()) ?? (await this.#rewrite(end));
    this.#last = {
      op: 'checkpoint',
      end,
      count: index.size,
      lines,
      indexSum,
      indexBytes: point.bytes,
      ...(commit ? { commit: withoutDeletes(commit) } : {}),
      at: new Date().toISOString(),
    };
    return this.#last;
  }

  /** Waits for what is under way and lets go of index.bin. */
  async release(): Promise<void> {
    const appender = this.#appender;
    this.#appender = undefined;
    await appender?.tail.landed();
    await appender?.close();
  }

  /** Brings index.bin up to date as it stands; undefined where it has to be written anew. */
  async #update(): Promise<IndexPoint | undefined> {
    const { index } = this.#indexer;
    const appender = this.#appender;
    if (appender === undefined || this.#deleted === undefined) return undefined;
    // Entries that were overridden stay in the file and slow down opening; past a fifth of all it is
    // cheaper to be rid of them.
    if (appender.entries > 1.25 * index.size + 1024) return undefined;
    // Who came back has a newer entry, which counts.
    const gone = new Set([...this.#deleted].filter((id) => this.#indexer.find(id) < 0));
    await appender.tail.drain();
    const patches =
      gone.size === 0
        ? []
        : await replaceEntries(appender, gone, this.#source.kernel, this.#indexer);
    if (patches === undefined) return undefined;
    await appender.publish(patches);
    this.#deleted.clear();
    return appender.point;
  }

  async #rewrite(end: number): Promise<IndexPoint> {
    await this.release();
    return rewriteFromData(this.#source, this.#indexer.index, end);
  }
}
