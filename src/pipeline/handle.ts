/** A run as its caller holds it: to wait for, to watch, to stop. */
import { EtlError } from '../core/errors.ts';
import type { Reject } from '../core/reject.ts';
import type { RunOptions, RunProgress, RunSummary } from './options.ts';
import { Runner } from './run.ts';

/** What a run emits, with what its listeners are given. */
export interface RunEvents {
  readonly progress: [progress: RunProgress];
  readonly reject: [reject: Reject, stage: string];
  readonly retry: [retry: { stage: string; attempt: number; waitMs: number; error: unknown }];
}

/** Starts a run. Errors: INVALID_ARGUMENT at once; everything else comes out of `done`. */
export function run<Summary = unknown>(options: RunOptions<Summary>): RunHandle<Summary> {
  return new RunHandle(options);
}

/**
 * A run under way. It can be awaited and caught like a promise, itself or by `done`, and iterated for its
 * progress; who does neither learns of a failure as of any promise that nobody handles.
 */
export class RunHandle<Summary = unknown>
  implements
    Pick<Promise<RunSummary<Summary>>, 'then' | 'catch' | 'finally'>,
    AsyncIterable<RunProgress>
{
  readonly name: string;
  /** Names this run among those of the same name; a ULID. */
  readonly loadId: string;
  /** Resolves when everything is durable and closed; rejects with the first cause when all is closed. */
  readonly done: Promise<RunSummary<Summary>>;
  readonly #runner: Runner<Summary>;

  constructor(options: RunOptions<Summary>) {
    this.#runner = new Runner(options);
    this.name = options.name;
    this.loadId = this.#runner.loadId;
    const letGo = this.#listen(options);
    this.done = this.#runner.run().finally(letGo);
  }

  get progress(): RunProgress {
    return this.#runner.progress;
  }

  on<E extends keyof RunEvents>(event: E, listener: (...args: RunEvents[E]) => void): this {
    this.#runner.events.on(event, listener as (...args: unknown[]) => void);
    return this;
  }

  off<E extends keyof RunEvents>(event: E, listener: (...args: RunEvents[E]) => void): this {
    this.#runner.events.off(event, listener as (...args: unknown[]) => void);
    return this;
  }

  /**
   * Ends the run in good order: reads no more, or up to the next cursor where what was read has none;
   * writes and commits what was read. What transforms hold back is dropped if the source can give it
   * again on resuming, else written. Resolves as `done`.
   */
  stop(): Promise<RunSummary<Summary>> {
    this.#runner.stop();
    return this.done;
  }

  /** Ends the run at once, with ABORTED and the reason; what was committed stays. */
  abort(reason?: unknown): void {
    this.#runner.abort(new EtlError('ABORTED', 'the run was aborted', { cause: reason }));
  }

  // biome-ignore lint/suspicious/noThenProperty: a run is awaited like a promise
  then<A = RunSummary<Summary>, B = never>(
    fulfilled?: ((summary: RunSummary<Summary>) => A | PromiseLike<A>) | null,
    rejected?: ((error: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    return this.done.then(fulfilled, rejected);
  }

  catch<B = never>(
    rejected?: ((error: unknown) => B | PromiseLike<B>) | null,
  ): Promise<RunSummary<Summary> | B> {
    return this.done.catch(rejected);
  }

  finally(settled?: (() => void) | null): Promise<RunSummary<Summary>> {
    return this.done.finally(settled);
  }

  /**
   * Progress as it is made, the newest when the reader is slower; ends with the run, and throws what
   * it failed with. Leaving the loop does not end the run.
   */
  async *[Symbol.asyncIterator](): AsyncGenerator<RunProgress, void, void> {
    let wake = (): void => {};
    let fresh: RunProgress | undefined;
    let ended = false;
    const listen = (progress: RunProgress): void => {
      fresh = progress;
      wake();
    };
    const end = (): void => {
      ended = true;
      wake();
    };
    this.on('progress', listen);
    this.done.then(end, end);
    try {
      while (!ended || fresh) {
        if (fresh) {
          const progress = fresh;
          fresh = undefined;
          yield progress;
        } else {
          await new Promise<void>((resolve) => {
            wake = resolve;
            if (ended) resolve();
          });
        }
      }
      await this.done;
    } finally {
      this.off('progress', listen);
    }
  }

  /** Ties the run to a signal and to the process's, as far as asked; answers how to let go. */
  #listen({ signal, signals = false }: RunOptions<Summary>): () => void {
    const abort = (): void => this.abort(signal?.reason);
    if (signal?.aborted) abort();
    else signal?.addEventListener('abort', abort, { once: true });
    const ended = expectEnd((cause) => this.#runner.abort(cause));
    let asked = false;
    const interrupt = (name: NodeJS.Signals): void => {
      if (asked) endBy(name);
      asked = true;
      this.#runner.stop();
    };
    if (signals) for (const name of SIGNALS) process.on(name, interrupt);
    return () => {
      ended();
      signal?.removeEventListener('abort', abort);
      for (const name of SIGNALS) process.off(name, interrupt);
    };
  }
}

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

/**
 * Ends the process by a signal, whoever listens to it. `process.exit` would wait for file operations in the thread
 * pool, those of a pipe with nobody at its other end for ever, and answer no signal meanwhile.
 */
function endBy(signal: NodeJS.Signals): void {
  process.removeAllListeners(signal);
  process.kill(process.pid, signal);
}

/** Aborts of the runs under way. */
const pending = new Set<(cause: EtlError) => void>();

/**
 * The process is about to end, as if all were well, while a run waits for what will never come: that is
 * a failure of the run, and of the process.
 */
function guardExit(): void {
  process.exitCode ||= 1;
  const text = 'a stage waits for something that nobody works on any more';
  for (const abort of pending) abort(new EtlError('INTERNAL', text));
}

function expectEnd(abort: (cause: EtlError) => void): () => void {
  if (pending.size === 0) process.on('beforeExit', guardExit);
  pending.add(abort);
  return () => {
    pending.delete(abort);
    if (pending.size === 0) process.off('beforeExit', guardExit);
  };
}
