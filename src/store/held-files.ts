/**
 * The files that a handle works on, which change under it when the collection is written anew: the
 * new ones are opened beside the old ones, and those close when their last scan is done. Such changes
 * run one after the other, and closing waits for them.
 */
import { EtlError } from '../core/errors.ts';
import type { CollectionFiles } from './collection-files.ts';
import { type SnapshotOptions, type SnapshotReport, writeSnapshot } from './columns/index.ts';
import {
  type AutoCompactOptions,
  type CompactOptions,
  type CompactReport,
  isDue,
} from './compact.ts';
import type { CommitOptions } from './writer.ts';

export class HeldFiles {
  #current: CollectionFiles;
  readonly #open: () => Promise<CollectionFiles>;
  #changing: Promise<void> = Promise.resolve();
  /** Everything is committed, and closing went well. */
  #whole = false;

  private constructor(current: CollectionFiles, open: () => Promise<CollectionFiles>) {
    this.#current = current;
    this.#open = open;
  }

  /** Opens them, and keeps the way to do so again. */
  static async open(open: () => Promise<CollectionFiles>): Promise<HeldFiles> {
    return new HeldFiles(await open(), open);
  }

  get current(): CollectionFiles {
    return this.#current;
  }

  /** For readers: goes on to the last commit. */
  refresh(): Promise<void> {
    return this.#exclusively(() => this.#goOn());
  }

  /** Writes a column snapshot, for readers of the last commit; what would replace the files waits. */
  snapshot(options: SnapshotOptions): Promise<SnapshotReport> {
    return this.#exclusively(async () => {
      const { place, replacement } = this.#current;
      if (replacement) {
        throw new EtlError('INVALID_ARGUMENT', 'what is being replaced has no snapshot');
      }
      const goOn = async (): Promise<void> => {
        if (!this.#current.writer) await this.#goOn();
      };
      // Nothing is written for a collection that is gone.
      await goOn();
      return writeSnapshot(place, options, async () => {
        await goOn();
        return this.#current.commitState();
      });
    });
  }

  /** For writers. Errors: as `FastStore.compact`. */
  compact(options: CompactOptions): Promise<CompactReport> {
    return this.#exclusively(async () => {
      const files = this.#current;
      if (files.replacement) {
        throw new EtlError('INVALID_ARGUMENT', 'what is being replaced is not compacted');
      }
      const { committed, letGo } = files.writer!.hold();
      try {
        const report = await files.compact(committed, options);
        if (files.isReplaced) await this.#replace();
        return report;
      } finally {
        letGo();
      }
    });
  }

  /** Commits, compacts where that is due, and lets go. */
  async close(options: CommitOptions, auto: AutoCompactOptions | undefined): Promise<void> {
    await this.#changing;
    await this.#current.writer?.flush(options);
    let failure: { readonly cause: unknown } | undefined;
    const { replacement } = this.#current;
    if (auto && !replacement && this.#current.writer && isDue(this.#current, auto)) {
      // What is committed stays committed: closing goes on, and the failure is told afterwards.
      await this.compact({}).catch((cause: unknown) => {
        failure = { cause };
      });
    }
    await this.#current.writer?.close();
    if (failure) throw failure.cause;
    this.#whole = true;
  }

  /** Lets go of every file. Ones that are to replace others do so now if they are whole. */
  async release(): Promise<void> {
    await this.#changing;
    await this.#current.close();
    const { replacement } = this.#current;
    await (this.#whole ? replacement?.publish() : replacement?.discard());
  }

  async #goOn(): Promise<void> {
    if (!(await this.#current.follow())) await this.#replace();
  }

  async #replace(): Promise<void> {
    const old = this.#current;
    let fresh: CollectionFiles | undefined;
    try {
      const opened = await this.#open();
      fresh = opened;
      await old.moveWritesTo(opened, () => {
        this.#current = opened;
      });
    } catch (cause) {
      // The old files are not the collection any more.
      old.writer?.poison(cause);
      await fresh?.close();
      throw cause;
    }
    old.retireFor(this.#current);
  }

  #exclusively<R>(work: () => Promise<R>): Promise<R> {
    const result = this.#changing.then(work);
    this.#changing = result.then(
      () => undefined,
      () => undefined,
    );
    return result;
  }
}
