/** A collection with a file per document, and readers beside it, that are called at random, with the model of it. */
import { setImmediate } from 'node:timers/promises';
import { expect } from 'vitest';
import type { Engine, EngineWriter } from '../../src/store/index.ts';
import type { Calls } from './calls.ts';

export const IDS: readonly string[] = ['a', 'b', 'c', 'é', 'e'];

export interface Doc {
  readonly _id?: string;
  readonly n: number;
  readonly pad?: string;
}

export function make(n: number): Doc {
  return n % 4 === 0 ? { n, pad: 'x'.repeat(n % 90) } : { n };
}

/** What one document was, in the order in which flushes took it; undefined: it was not there. */
interface Life {
  readonly values: (number | undefined)[];
  /** What is read from now on is this value, or a later one. */
  acked: number;
}

/** What a flush takes, and where it stands in the life of each. */
type Taken = readonly (readonly [string, number])[];

export class EnginePlay {
  readonly calls: Calls;
  readonly writer: EngineWriter<Doc>;
  troubles: readonly string[] = [];
  closing = false;
  /** As this handle sees it, in the order that it has in the end. */
  readonly now: Map<string, number> = new Map();
  readonly lives: ReadonlyMap<string, Life> = new Map(
    IDS.map((id) => [id, { values: [undefined], acked: 0 }]),
  );
  readonly #pending = new Set<string>();
  #n = 0;

  constructor(calls: Calls, writer: EngineWriter<Doc>) {
    this.calls = calls;
    this.writer = writer;
  }

  readonly codes = (): readonly string[] =>
    this.closing ? ['CLOSED', ...this.troubles] : this.troubles;

  step(): void {
    const { calls, codes, now, writer } = this;
    const id = calls.pick(IDS);
    const n = ++this.#n;
    /** As SyncWriter has it: together with its flush. */
    const put = () => {
      writer.put(id, make(n));
      now.set(id, n);
      this.#pending.add(id);
    };
    const remove = () => {
      const found = writer.delete(id);
      expect(found, `whether ${id} was deleted`).toBe(now.delete(id));
      if (found) this.#pending.add(id);
      return found;
    };
    const acts = {
      put: () => calls.start(`put ${id} ${n}`, put, { codes }),
      delete: () => calls.start(`delete ${id}`, remove, { codes }),
      putRaw: () => {
        const raw = () => {
          writer.putRaw(id, Buffer.from(JSON.stringify(make(n))));
          now.set(id, n);
          this.#pending.add(id);
        };
        calls.start(`putRaw ${id} ${n}`, raw, { codes });
      },
      refused: () => {
        const taken = () => expect.fail('taken');
        const refused = { codes: () => ['INVALID_ID', ...codes()], answered: taken };
        calls.start('put ..', () => writer.put('..', { n }), refused);
      },
      putDurably: () => {
        const work = () => {
          put();
          return this.flush();
        };
        calls.start(`put durably ${id} ${n}`, work, { codes });
      },
      deleteDurably: () => {
        const work = async () => {
          if (remove()) await this.flush();
        };
        calls.start(`delete durably ${id}`, work, { codes });
      },
      flush: () => calls.start('flush', () => this.flush(), { codes }),
      look: () => {
        expect(writer.count).toBe(now.size);
        for (const each of IDS) expect(writer.exists(each)).toBe(now.has(each));
      },
    };
    acts[calls.pick(Object.keys(acts) as (keyof typeof acts)[])]();
  }

  async flush(): Promise<void> {
    const flushing = this.writer.flush();
    const taken = this.#take();
    await flushing;
    this.#ack(taken);
  }

  end(): void {
    for (let times = 1 + this.calls.below(2); times > 0; times--) {
      const close = async () => {
        const closing = this.writer.close();
        const taken = this.closing ? [] : this.#take();
        this.closing = true;
        await closing;
        this.#ack(taken);
      };
      this.calls.start('close', close, { codes: () => this.troubles });
    }
  }

  /** Whether a document may be this, of what was known to be durable `since`. */
  expectAlive(id: string, n: number | undefined, since: number): void {
    const { values } = this.lives.get(id)!;
    expect(values.slice(since), `${id} since ${since} of ${values}`).toContain(n);
  }

  #take(): Taken {
    const taken = [...this.#pending].map((id) => {
      const { values } = this.lives.get(id)!;
      return [id, values.push(this.now.get(id)) - 1] as const;
    });
    this.#pending.clear();
    return taken;
  }

  #ack(taken: Taken): void {
    for (const [id, at] of taken) {
      const life = this.lives.get(id)!;
      life.acked = Math.max(life.acked, at);
    }
  }
}

/** A handle that reads beside the writer. */
export class EngineReader {
  readonly #play: EnginePlay;
  readonly #engine: Engine<Doc>;
  /** By id: it is known to be there, or not, as of this value or a later one. */
  #known: ReadonlyMap<string, number>;

  constructor(play: EnginePlay, engine: Engine<Doc>, known: ReadonlyMap<string, number>) {
    this.#play = play;
    this.#engine = engine;
    this.#known = known;
  }

  /** What is durable now. */
  static known({ lives }: EnginePlay): ReadonlyMap<string, number> {
    return new Map([...lives].map(([id, { acked }]) => [id, acked]));
  }

  step(): void {
    const play = this.#play;
    const { calls, troubles } = play;
    const engine = this.#engine;
    const durable = EngineReader.known(play);
    const codes = () => troubles;
    const acts = {
      refresh: () => {
        const answered = () => {
          const raised = [...this.#known].map(
            ([id, at]) => [id, Math.max(at, durable.get(id)!)] as const,
          );
          this.#known = new Map(raised);
        };
        calls.start('reader: refresh', () => engine.refresh(), { answered, codes });
      },
      ids: () => {
        const ids = engine.docIds();
        expect(new Set(ids).size).toBe(ids.length);
        expect(engine.len()).toBe(ids.length);
        for (const id of IDS) {
          const { values } = play.lives.get(id)!;
          const wasThere = values.slice(this.#known.get(id)).map((n) => n !== undefined);
          expect(wasThere, `whether ${id} is there`).toContain(ids.includes(id));
          expect(engine.exists(id)).toBe(ids.includes(id));
        }
      },
      get: () => {
        const id = calls.pick(IDS);
        const answered = ({ n }: Doc) => play.expectAlive(id, n, durable.get(id)!);
        calls.start(`reader: get ${id}`, () => engine.getDocument(id), {
          answered,
          codes: () => ['DOCUMENT_NOT_FOUND', ...troubles],
          failed: (code) => {
            if (code === 'DOCUMENT_NOT_FOUND') play.expectAlive(id, undefined, durable.get(id)!);
          },
        });
      },
      scan: () => {
        const scan = async () => {
          const ids = engine.docIds();
          const found = new Map<string, number>();
          for await (const { _id, n } of engine.scan()) {
            expect(found.has(_id!)).toBe(false);
            found.set(_id!, n);
            await setImmediate();
          }
          for (const id of found.keys()) expect(ids).toContain(id);
          for (const id of ids) play.expectAlive(id, found.get(id), durable.get(id)!);
        };
        calls.start('reader: scan', scan, { codes });
      },
    };
    acts[calls.pick(['refresh', 'refresh', 'ids', 'get', 'scan'] as const)]();
  }

  close(): Promise<void> {
    return this.#engine.close();
  }
}
