/** Sinks that are made of other sinks: taking them in any form, and driving several as one. */
import { setMaxListeners } from 'node:events';
import type { RunInfo, RunTotals } from '../core/run-info.ts';
import type { Sink, Wants } from '../core/stage.ts';
import { SinkStream } from '../streams/sink-stream.ts';

/** A sink as a contract or as a stream; of a stream only the sink under it is used. */
export type AnySink<Summary = unknown> = Sink<Summary> | SinkStream<Summary>;

/** The contract in either form. */
export function bareSink<Summary>(sink: AnySink<Summary>): Sink<Summary> {
  return sink instanceof SinkStream ? sink.sink : sink;
}

/** What all of them can be given: a wish that one of them does not have is dropped. */
export function commonWants(sinks: readonly Sink<unknown>[]): Wants {
  const wants = sinks.map((sink) => sink.wants ?? {});
  const [first = {}] = wants;
  const key = JSON.stringify(first.key);
  const sameKey = wants.every((each) => JSON.stringify(each.key) === key);
  return {
    ...(sameKey && first.key ? { key: first.key } : {}),
    unread: wants.every(({ unread }) => unread === true),
    documents: wants.every(({ documents }) => documents === true),
  };
}

/** The run for one of so many sinks that share the memory it allows. */
export function shareOf(run: RunInfo, sinks: number): RunInfo {
  return { ...run, maxMemory: run.maxMemory / sinks };
}

/** Several sinks that are opened, finished and given up together. */
export class SinkGroup {
  readonly sinks: readonly Sink<unknown>[];
  readonly #opened = new Set<Sink<unknown>>();
  readonly #finished = new Set<Sink<unknown>>();

  constructor(sinks: readonly AnySink[]) {
    this.sinks = sinks.map((sink) => bareSink(sink));
  }

  get satisfied(): boolean {
    return this.sinks.every(({ satisfied }) => satisfied === true);
  }

  /** One that must not be half of itself is reason enough to give up all. */
  get atomic(): boolean {
    return this.sinks.some(({ atomic }) => atomic === true);
  }

  /** What a run allows to hold they share. */
  open(signal: AbortSignal, run?: RunInfo): Promise<void> {
    const share = run && shareOf(run, this.sinks.length);
    // One listener for each sink is no leak.
    setMaxListeners(0, signal);
    this.#opened.clear();
    this.#finished.clear();
    return this.each((sink) => {
      this.#opened.add(sink);
      return sink.open(signal, share);
    });
  }

  /** Calls `work` for all at once and waits for all. Errors: the first to come. */
  async each(work: (sink: Sink<unknown>, index: number) => Promise<unknown>): Promise<void> {
    let first: { readonly error: unknown } | undefined;
    await Promise.all(
      this.sinks.map(async (sink, index) => {
        try {
          await work(sink, index);
        } catch (error) {
          first ??= { error };
        }
      }),
    );
    if (first) throw first.error;
  }

  /** The summaries, in the sinks' order. */
  async finish(run?: RunTotals): Promise<unknown[]> {
    const summaries: unknown[] = [];
    await this.each(async (sink, index) => {
      summaries[index] = await sink.finish(run);
      this.#finished.add(sink);
    });
    return summaries;
  }

  /** Gives up those that have been opened and have not finished. */
  async abort(reason: unknown, run?: RunTotals): Promise<void> {
    const under = [...this.#opened].filter((sink) => !this.#finished.has(sink));
    await Promise.allSettled(under.map((sink) => sink.abort(reason, run)));
  }
}
