/** A sink that keeps what it is given, to look at what a pipeline makes. */
import type { Document } from '../core/batch.ts';
import type { RunInfo } from '../core/run-info.ts';
import type { Sink } from '../core/stage.ts';
import { sharedKernel } from '../kernels/index.ts';
import { SinkStream } from '../streams/sink-stream.ts';
import type { StreamOptions } from '../streams/source-stream.ts';

/** What a memory sink was given by one run or pipeline. */
export interface MemorySinkSummary {
  readonly documents: number;
}

/** For `run` and for `pipeline`; a run may be given one that another has ended in. */
export class MemorySink<T extends object = Document> extends SinkStream<MemorySinkSummary> {
  /** What has been committed, in the order it came in: all of it once a run or pipeline has ended. */
  readonly documents: readonly T[];

  constructor(options: StreamOptions = {}) {
    const documents: T[] = [];
    super(keepIn(documents), sharedKernel().codec, options);
    this.documents = documents;
  }
}

/**
 * Keeps documents in memory, for tests. As into a store, what was committed stays when a run fails, with
 * the position behind it: a run of the same name and with `resume` into the same sink goes on there. A
 * commit is made behind every batch that has a cursor. Documents are not merged by id.
 */
export function memorySink<T extends object = Document>(
  options: StreamOptions = {},
): MemorySink<T> {
  return new MemorySink<T>(options);
}

function keepIn<T extends object>(documents: T[]): Sink<MemorySinkSummary> {
  /** As JSON, as they lie in a store: what transforms remember goes on changing. */
  const cursors = new Map<string, string>();
  let run: RunInfo | undefined;
  let waiting: T[] = [];
  let taken = 0;
  const commit = (): void => {
    run?.beforeCommit();
    for (const document of waiting) documents.push(document);
    waiting = [];
  };
  return {
    name: 'memorySink',
    wants: { objects: true },
    async open(_signal, info) {
      run = info;
      taken = 0;
    },
    async lastCursor(name) {
      const cursor = cursors.get(name);
      return cursor === undefined ? undefined : JSON.parse(cursor);
    },
    async write(batch) {
      for (const document of batch.documents()) waiting.push(document as T);
      taken += batch.length;
      if (!run || batch.cursor === undefined) return;
      commit();
      cursors.set(run.name, JSON.stringify(batch.cursor));
    },
    async finish() {
      commit();
      return { documents: taken };
    },
    async abort() {
      waiting = [];
    },
  };
}
