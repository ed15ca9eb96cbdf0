/**
 * Every state that a model was in, in order: what is seen later must be one of them, and not one of before a
 * moment that is known. States are kept as text, in the order of the model's keys.
 */
import { expect } from 'vitest';

/** The newest version last, as a file has it. */
export function assign<V>(documents: Map<string, V>, id: string, value: V): void {
  documents.delete(id);
  documents.set(id, value);
}

/** The state as text; of numbers what stands before the point. */
function textOf<V>(documents: Iterable<readonly [string, V]>): string {
  const whole = (_: string, value: unknown) =>
    typeof value === 'number' ? Math.floor(value) : value;
  return JSON.stringify([...documents], whole);
}

type Change<V> = (documents: Map<string, V>) => void;

export class History<V> {
  now: ReadonlyMap<string, V> = new Map();
  readonly #changes: Change<V>[] = [];
  readonly #states: string[] = ['[]'];

  /** The number of the state that it is in. */
  get version(): number {
    return this.#states.length - 1;
  }

  /** The state that it is in, as what is read is compared with it. */
  get pairs(): readonly (readonly [string, V])[] {
    return JSON.parse(this.#states.at(-1)!) as [string, V][];
  }

  /** Goes on to the next state; answers its number. */
  change(work: Change<V>): number {
    const next = new Map(this.now);
    work(next);
    this.now = next;
    this.#changes.push(work);
    return this.#states.push(textOf(next)) - 1;
  }

  put(id: string, value: V): number {
    return this.change((documents) => assign(documents, id, value));
  }

  delete(id: string): number {
    return this.change((documents) => documents.delete(id));
  }

  /** The change that led to this version was not made: those after it were made without it. */
  cancel(version: number): void {
    this.#changes[version - 1] = () => undefined;
    const documents = new Map<string, V>();
    for (const [at, change] of this.#changes.entries()) {
      change(documents);
      this.#states[at + 1] = textOf(documents);
    }
    this.now = documents;
  }

  /** The first version from `from` to `to` that is this state and is allowed; fails where there is none. */
  find(
    state: Iterable<readonly [string, V]>,
    from: number,
    to: number = this.version,
    allowed: (version: number) => boolean = () => true,
  ): number {
    const text = textOf(state);
    for (let version = from; version <= to; version++) {
      if (this.#states[version] === text && allowed(version)) return version;
    }
    const at = this.#states.flatMap((other, version) => (other === text ? [version] : []));
    const told = this.#states.slice(from, to + 1).join(' ');
    return expect.fail(`${text} is none of the states ${from} to ${to}, but of [${at}]: ${told}`);
  }

  /** The first version from `from` on of which this holds. */
  findWhere(
    what: string,
    holds: (documents: ReadonlyMap<string, V>) => boolean,
    from: number,
  ): number {
    for (let version = from; version <= this.version; version++) {
      if (holds(new Map(JSON.parse(this.#states[version]!) as [string, V][]))) return version;
    }
    return expect.fail(`${what} in no state from ${from} on`);
  }
}
