/**
 * Calls made at once, for a test that runs for many seeds: each is written down, answers are looked at when they
 * come, and what goes wrong (an answer that is not true, an error that may not come, a promise that nobody
 * heard, a call that never ends) is told with the seed and the calls so far. ZDS_SEED=n repeats one seed.
 */
import { setImmediate } from 'node:timers/promises';
import { isEtlError } from '../../src/core/errors.ts';
import { seededRandom } from './lives.ts';
import { LONG } from './long.ts';

/** What a test of many seeds may take where others use the machine. */
export const SEEDS_MS: number = LONG ? 600_000 : 60_000;
/** A call may take so long; a turn of the event loop takes microseconds. */
const DEADLINE_MS = 20_000;
/** A seed that is asked for runs so often: what is loaded in the first run takes turns of its own. */
const REPEATS = 20;
/** So many of the last calls are told. */
const TOLD = 200;

export interface Answer<R> {
  /** Looks at what was answered; throws where that is not true. */
  readonly answered?: (value: R) => void;
  /** The codes that this call may fail with at this moment. */
  readonly codes?: () => readonly string[];
  /** Looks at a failure with one of these codes. */
  readonly failed?: (code: string) => void;
}

/** What `Calls.make` chooses from. */
export interface Steps {
  step(): void;
  read(): void;
  open(): void;
  end(): void;
}

export class Calls {
  readonly random: () => number;
  readonly #log: string[] = [];
  readonly #open = new Map<number, string>();
  readonly #promises: Promise<void>[] = [];
  #failure: { readonly cause: unknown } | undefined;
  #count = 0;

  constructor(random: () => number) {
    this.random = random;
  }

  get log(): readonly string[] {
    return this.#log.slice(-TOLD);
  }

  /** A whole number below `limit`. */
  below(limit: number): number {
    return Math.floor(this.random() * limit);
  }

  pick<T>(choices: readonly T[]): T {
    return choices[this.below(choices.length)]!;
  }

  note(what: string): void {
    this.#log.push(what);
  }

  /** Makes a call; nobody waits for it before `settle`. Answers what a call without a promise answered. */
  start<R>(
    name: string,
    call: () => R | Promise<R>,
    { answered, codes = () => [], failed }: Answer<R> = {},
  ): R | undefined {
    const number = this.#count++;
    this.note(`${number} ${name}`);
    const fail = (error: Error | undefined): void => {
      const code = isEtlError(error) ? error.code : String(error?.constructor.name);
      this.note(`${number} fails: ${code}`);
      if (!codes().includes(code)) this.#fail(name, error);
      else this.#try(name, () => failed?.(code));
    };
    let result: R | Promise<R>;
    try {
      result = call();
    } catch (error) {
      fail(error as Error);
      return undefined;
    }
    if (!(result instanceof Promise)) {
      this.#try(name, () => answered?.(result as R));
      return result;
    }
    this.#open.set(number, name);
    const ended = result.then(
      (value) => {
        this.note(`${number} answers`);
        this.#try(name, () => answered?.(value));
      },
      (error) => fail(error),
    );
    this.#promises.push(ended.finally(() => this.#open.delete(number)));
    return undefined;
  }

  /**
   * Makes steps, some of them in one turn and others some turns apart: mostly `step`, the rest as the others are
   * named. `end`, which comes towards the last of them if at all, begins to close what the others work on.
   */
  async make({ step, read, open, end }: Steps): Promise<void> {
    const count = 20 + this.below(60);
    const last = this.random() < 0.7 ? count - this.below(12) : count;
    for (let at = 0; at < count; at++) {
      const chance = this.random();
      if (at === last) end();
      else if (chance < 0.25) read();
      else if (chance < 0.3) open();
      else step();
      // What runs in one turn asks in one go: nothing of what was asked for comes in between.
      if (this.random() < 0.6) continue;
      for (let turns = 1 + this.below(8); turns > 0; turns--) await setImmediate();
      this.check();
    }
  }

  /** Throws the first thing that went wrong. */
  check(): void {
    if (this.#failure) throw this.#failure.cause;
  }

  /** Waits until every call has ended. */
  async settle(): Promise<void> {
    await this.within('the calls', Promise.all(this.#promises));
    this.check();
  }

  /** The same for work of the test's own. */
  async within<R>(what: string, work: Promise<R>): Promise<R> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        const open = [...this.#open].map(([number, name]) => `${number} ${name}`);
        reject(new Error(`${what} did not end: ${open.join(', ')}`));
      }, DEADLINE_MS);
    });
    try {
      return await Promise.race([work, late]);
    } finally {
      clearTimeout(timer);
    }
  }

  #try(name: string, work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#fail(name, error);
    }
  }

  #fail(name: string, error: unknown): void {
    if (this.#failure) return;
    const message = error instanceof Error ? error.message : String(error);
    this.#failure = { cause: new Error(`${name}: ${message}`, { cause: error }) };
  }
}

/** Runs a test for `count` seeds from 1 on, or from ZDS_SEEDS_FROM; for four times as many with ZDS_FUZZ=long. */
export async function forSeeds(count: number, run: (calls: Calls) => Promise<void>): Promise<void> {
  const given = process.env.ZDS_SEED;
  const first = Number(given ?? process.env.ZDS_SEEDS_FROM ?? 1);
  const seeds = given === undefined ? (LONG ? 4 : 1) * count : REPEATS;
  let unheard: unknown;
  const hear = (reason: unknown): void => {
    unheard ??= reason;
  };
  process.on('unhandledRejection', hear);
  try {
    for (let turn = 0; turn < seeds; turn++) {
      const seed = given === undefined ? first + turn : first;
      // Neighbouring seeds begin with nearly the same number.
      const calls = new Calls(seededRandom(Math.imul(seed, 0x9e3779b1) ^ 0x5bd1e995));
      try {
        await run(calls);
        await setImmediate();
        if (unheard !== undefined) throw new Error('nobody heard a rejection', { cause: unheard });
      } catch (error) {
        const told = [`ZDS_SEED=${seed}: ${(error as Error).message}`, ...calls.log].join('\n  ');
        throw new Error(told, { cause: error });
      }
    }
  } finally {
    process.off('unhandledRejection', hear);
  }
}
