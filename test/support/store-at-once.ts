/** A store, and readers beside it, that are called at random, with the model of what their answers may be. */
import { setImmediate } from 'node:timers/promises';
import type { Table } from 'apache-arrow';
import { expect } from 'vitest';
import { Batch } from '../../src/core/batch.ts';
import { sharedKernel } from '../../src/kernels/index.ts';
import { BufferedWriter, type FastStore, type ZdsRoot } from '../../src/store/index.ts';
import type { Calls } from './calls.ts';
import { assign, History } from './history.ts';

export interface Doc {
  readonly _id?: string;
  readonly n: number;
  readonly pad?: string;
}
type Pair = readonly [string, number];

const IDS = ['a', 'b', 'c', 'd', 'é', 'f'];
export const pairOf = ({ _id, n }: Doc): Pair => [_id!, n];
const make = (n: number): Doc => {
  const length = n % 29 === 0 ? 70_000 : (n % 5) * 20;
  return length === 0 ? { n } : { n, pad: 'x'.repeat(length) };
};
const rowsOf = (table: Table): Pair[] =>
  table.numRows === 0 ? [] : table.toArray().map((row) => [row._id, Number(row.n)]);
/** All that a scan gives, to somebody who takes his time. */
async function slowly(documents: AsyncIterable<Doc>): Promise<Pair[]> {
  const pairs: Pair[] = [];
  for await (const each of documents) {
    pairs.push(pairOf(each));
    for (let turn = 0; turn < 3; turn++) await setImmediate();
  }
  return pairs;
}
async function idsOf(store: FastStore<Doc>): Promise<string[]> {
  const ids: string[] = [];
  for await (const id of store.docIds()) ids.push(id);
  return ids;
}

export class StorePlay {
  readonly history: History<number> = new History();
  readonly calls: Calls;
  /** What may fail with these codes from now on. */
  troubles: readonly string[] = [];
  closing = false;
  /** All of the history up to this version is committed, and was said to be. */
  acked = 0;
  readonly #points = new Set([0]);
  readonly #spans: { readonly from: number; to: number }[] = [];
  /** Of the cursor: given to flushes, and acknowledged. */
  #cursor = 0;
  #ackedCursor = 0;
  #buffered = 0;
  #n = 0;
  readonly root: ZdsRoot;
  readonly store: FastStore<Doc>;
  readonly buffer: BufferedWriter<Doc>;

  constructor(calls: Calls, root: ZdsRoot, store: FastStore<Doc>) {
    this.calls = calls;
    this.root = root;
    this.store = store;
    const noting = {
      put: (id: string, document: Doc) => {
        store.put(id, document);
        this.history.put(id, document.n);
        this.#buffered = this.history.version;
      },
      delete: (id: string) => {
        const found = this.#delete(id);
        this.#buffered = this.history.version;
        return found;
      },
      get uncommittedBytes() {
        return store.uncommittedBytes;
      },
      flush: () => this.#flush(),
    };
    const limits = { maxPendingOps: 1 + calls.below(12), maxPendingBytes: 1 + calls.below(4000) };
    this.buffer = new BufferedWriter<Doc>(noting, limits);
  }

  codes = (): readonly string[] => (this.closing ? ['CLOSED', ...this.troubles] : this.troubles);

  /** Whether this version may have been committed. */
  isPoint = (version: number): boolean =>
    this.#points.has(version) ||
    this.#spans.some(({ from, to }) => from <= version && version <= to);

  /** One call on the store, whichever. */
  step(): void {
    const { calls, store, history, codes } = this;
    const id = calls.pick(IDS);
    const n = ++this.#n;
    const before = history.version;
    /** What is seen is a state from the call on. */
    const seen = (pairs: readonly Pair[]) => void history.find(pairs, before);
    const scan = { pieceBytes: 1 + calls.below(200) };
    const acts: Record<string, () => void> = {
      put: () => {
        const answered = () => history.put(id, n);
        calls.start(`put ${id} ${n}`, () => store.put(id, make(n)), { answered, codes });
      },
      putRaw: () => {
        const put = () => {
          const putting = store.putRaw(id, Buffer.from(JSON.stringify(make(n))));
          history.put(id, n);
          return putting;
        };
        calls.start(`putRaw ${id} ${n}`, put, { codes });
      },
      append: () => {
        const keys = Array.from({ length: 1 + calls.below(4) }, () => calls.pick(IDS));
        const documents = keys.map((_id) => ({ _id, ...make(n) }));
        const append = () => {
          const { uncommittedBytes } = store;
          const appending = store.append(Batch.fromDocuments(documents, sharedKernel().codec));
          // It is visible at once, or refused.
          if (store.uncommittedBytes > uncommittedBytes) {
            history.change((all) => {
              for (const key of keys) assign(all, key, n);
            });
          }
          return appending;
        };
        calls.start(`append ${keys} ${n}`, append, { codes });
      },
      refused: () => {
        const refused = {
          codes: () => ['INVALID_ID', ...codes()],
          answered: () => expect.fail('taken'),
        };
        calls.start('put ..', () => store.put('..', { n }), refused);
      },
      delete: () => void calls.start(`delete ${id}`, () => this.#delete(id), { codes }),
      get: () => {
        const answered = (found: Doc | undefined) => expect(found?.n).toBe(history.now.get(id));
        calls.start(`get ${id}`, () => store.tryGet(id), { answered, codes });
        const has = (found: boolean) => expect(found).toBe(history.now.has(id));
        calls.start(`exists ${id}`, () => store.exists(id), { answered: has, codes });
      },
      collect: () => {
        const answered = (found: Doc[]) => expect(found.map(pairOf)).toEqual([...history.now]);
        calls.start('collect', () => store.scan(scan).collect(), { answered, codes });
      },
      scan: () => {
        const answered = (found: Doc[]) => seen(found.map(pairOf));
        calls.start('scan', () => store.scan(scan).toArray(), { answered, codes });
      },
      scanSlowly: () => this.#scanSlowly(),
      docIds: () => {
        const answered = (ids: string[]) => {
          const same = (all: ReadonlyMap<string, number>) =>
            String(ids) === String([...all.keys()]);
          history.findWhere(`${ids}`, same, before);
        };
        calls.start('docIds', () => idsOf(store), { answered, codes });
      },
      scanIds: () => {
        const answered = (found: Doc[]) =>
          void history.findWhere(
            `${found.map(pairOf)}`,
            (all) => found.length === Number(all.has(id)) && found[0]?.n === all.get(id),
            before,
          );
        calls.start(`scan ${id}`, () => store.scan({ ids: [id], ...scan }).toArray(), {
          answered,
          codes,
        });
      },
      table: () => {
        const answered = (table: Table) => seen(rowsOf(table));
        calls.start('table', () => store.table({ columns: ['_id', 'n'] }), { answered, codes });
      },
      flush: () => void calls.start('flush', () => this.#flush(), { codes }),
      compact: () => void this.#during('compact', () => store.compact()),
      snapshot: () =>
        void this.#during('snapshot', () => store.snapshot({ columns: ['_id', 'n'] })),
      cursor: () => {
        const acked = this.#ackedCursor;
        const answered = (found: unknown) => {
          expect(Number(found ?? 0)).toBeGreaterThanOrEqual(acked);
          expect(Number(found ?? 0)).toBeLessThanOrEqual(this.#cursor);
        };
        calls.start('cursor', () => store.cursor(), { answered, codes });
      },
      bufferedPut: () =>
        void calls.start(`buffered put ${id} ${n}`, () => this.buffer.put(id, make(n)), { codes }),
      bufferedDelete: () =>
        void calls.start(`buffered delete ${id}`, () => this.buffer.delete(id), { codes }),
      bufferedFlush: () => {
        const covered = this.#buffered;
        const answered = () => this.#ack(covered);
        calls.start('buffered flush', () => this.buffer.flush(), { answered, codes });
      },
    };
    acts[calls.pick(Object.keys(acts))]!();
  }

  /** Ends the store in one way or another, once or more. */
  end(): void {
    const { calls, history, codes, root, store, buffer } = this;
    const covered = history.version;
    const answered = () => this.#ack(covered);
    const ways = {
      close: () => calls.start('close', () => store.close(), { answered, codes }),
      // Its stores close a turn later, and commit what they have taken until then.
      root: () => {
        this.#spans.push({ from: covered, to: Number.POSITIVE_INFINITY });
        const all = () => this.#ack(history.version);
        calls.start('close the root', () => root.close(), { answered: all, codes });
      },
      buffer: () => {
        calls.start('close the buffer', () => buffer.close(), { codes });
        ways.close();
      },
    };
    // They are in the midst of it when their files close.
    for (let scans = calls.below(4); scans > 0; scans--) this.#scanSlowly();
    for (let times = 1 + calls.below(2); times > 0; times--) {
      ways[calls.pick(['close', 'close', 'root', 'buffer'] as const)]();
      this.#points.add(covered);
      this.closing = true;
    }
  }

  #scanSlowly(): void {
    const { calls, store, history, codes } = this;
    const { version } = history;
    const answered = (pairs: readonly Pair[]) => void history.find(pairs, version);
    const scan = () => slowly(store.scan({ pieceBytes: 1 + calls.below(60) }));
    calls.start('scan slowly', scan, { answered, codes });
  }

  #delete(id: string): boolean {
    const there = this.history.now.has(id);
    const found = this.store.delete(id);
    expect(found, `whether ${id} was deleted`).toBe(there);
    if (found) this.history.delete(id);
    return found;
  }

  async #flush(): Promise<void> {
    const { version } = this.history;
    const cursor = ++this.#cursor;
    this.#points.add(version);
    await this.store.flush({ cursor });
    this.#ack(version);
    this.#ackedCursor = Math.max(this.#ackedCursor, cursor);
  }

  /** What commits at some moment. */
  #during(name: string, work: () => Promise<unknown>): void {
    const { version } = this.history;
    const span = { from: version, to: Number.POSITIVE_INFINITY };
    this.#spans.push(span);
    const ended = () => {
      span.to = this.history.version;
    };
    const answered = () => {
      ended();
      this.#ack(version);
    };
    this.calls.start(name, work, { answered, failed: ended, codes: this.codes });
  }

  #ack(version: number): void {
    this.acked = Math.max(this.acked, version);
  }
}

/** A handle that reads beside the writer. */
export class StoreReader {
  readonly #play: StorePlay;
  readonly #store: FastStore<Doc>;
  /** It is at this version, or a later one. */
  #at: number;
  #closing = false;

  constructor(play: StorePlay, store: FastStore<Doc>, at: number) {
    this.#play = play;
    this.#store = store;
    this.#at = at;
  }

  step(): void {
    const { calls, history, troubles, isPoint } = this.#play;
    const store = this.#store;
    const from = this.#at;
    const codes = () => (this.#closing ? ['CLOSED', ...troubles] : troubles);
    const seen = (pairs: readonly Pair[]) => {
      this.#at = Math.max(this.#at, history.find(pairs, from, history.version, isPoint));
    };
    const acts = {
      refresh: () => {
        const { acked } = this.#play;
        const answered = () => {
          this.#at = Math.max(this.#at, acked);
        };
        calls.start('reader: refresh', () => store.refresh(), { answered, codes });
      },
      collect: () => {
        const answered = (found: Doc[]) => {
          seen(found.map(pairOf));
          expect(store.count).toBe(found.length);
        };
        calls.start('reader: collect', () => store.scan({ pieceBytes: 50 }).collect(), {
          answered,
          codes,
        });
      },
      scan: () => {
        const scan = () => slowly(store.scan({ pieceBytes: 50 }));
        calls.start('reader: scan', scan, { answered: seen, codes });
      },
      table: () => {
        const answered = (table: Table) => seen(rowsOf(table));
        const read = () => store.table({ columns: ['_id', 'n'] });
        calls.start('reader: table', read, { answered, codes });
      },
      close: () => {
        if (calls.random() < 0.9) return;
        this.#closing = true;
        calls.start('reader: close', () => store.close(), { codes });
      },
    };
    acts[calls.pick(['refresh', 'refresh', 'collect', 'scan', 'table', 'close'] as const)]();
  }

  close(): Promise<void> {
    return this.#store.close();
  }
}
