/** Two drives, and readers beside them, that are called at random, with the model of what their answers may be. */
import { setImmediate } from 'node:timers/promises';
import { expect } from 'vitest';
import { isEtlError } from '../../src/core/errors.ts';
import type { Disk } from '../../src/io/index.ts';
import { hashKey } from '../../src/store/drive/key-indexer.ts';
import {
  type DataStore,
  type DataStoreWriter,
  type EntryHandle,
  readPartition,
} from '../../src/store/index.ts';
import type { Answer, Calls } from './calls.ts';
import { assign, History } from './history.ts';

type Pair = readonly [string, number];

const KEYS = ['a', 'b', 'c', 'é', 'e'];
const NAMES = new Map(KEYS.map((key) => [hashKey(key), key]));

/** A payload says its number; some are long enough to be written beside other work. */
function payloadOf(n: number): Buffer {
  const text = `${n} `;
  const length = n % 13 === 0 ? 300_000 : n % 7 === 0 ? 70_000 : text.length + (n % 90);
  return Buffer.alloc(length, text);
}

function numberOf(payload: Uint8Array): number {
  return Number.parseInt(Buffer.from(payload.subarray(0, 20)).toString(), 10);
}

/** Key and number of an entry; throws where its payload is not whole. */
function pairOf({ payload, keyHash }: EntryHandle): Pair {
  const n = numberOf(payload);
  if (Buffer.compare(payload, payloadOf(n)) !== 0) throw new Error(`${n} is torn`);
  return [NAMES.get(keyHash)!, n];
}

/** Entries as a walk gives them, the oldest first. */
export function pairsOf(entries: Iterable<EntryHandle>): Pair[] {
  return [...entries].map(pairOf).reverse();
}

async function* slowly(payload: Buffer, fails: boolean): AsyncGenerator<Uint8Array, void, void> {
  for (let at = 0; at < payload.length; at += 40_000) {
    yield payload.subarray(at, at + 40_000);
    await setImmediate();
  }
  if (fails) throw new TypeError('the source failed');
}

/** A drive that is written to, and every state that it was asked to come to. */
export class DrivePlay {
  readonly history: History<number> = new History();
  readonly calls: Calls;
  readonly store: DataStore;
  other: DrivePlay | undefined;
  troubles: readonly string[] = [];
  closing = false;
  /** What is read is this version, or a later one. */
  acked = 0;
  /** What a power cut leaves is this version, or a later one. */
  synced = 0;
  readonly #disk: Disk;
  #compactions = 0;
  #n = 0;

  constructor(calls: Calls, store: DataStore, disk: Disk) {
    this.calls = calls;
    this.store = store;
    this.#disk = disk;
  }

  #start<R>(name: string, call: () => R | Promise<R>, answer: Answer<R>): void {
    this.calls.start(`${this.store.path.slice(-3)}: ${name}`, call, answer);
  }

  readonly codes = (): readonly string[] => {
    const isClosing = this.closing || this.other!.closing;
    // With either, what was to be copied may not be there.
    return [
      ...this.troubles,
      ...(isClosing ? ['CLOSED'] : []),
      ...(isClosing || this.troubles.length > 0 ? ['KEY_NOT_FOUND'] : []),
    ];
  };

  /** What a write that failed left may be cut under a reader that has seen it. */
  readonly readerCodes = (): readonly string[] =>
    this.troubles.length > 0 ? [...this.troubles, 'INPUT_CHANGED'] : [];

  /** One call, whichever. */
  step(): void {
    const { calls, store, history, codes, acked } = this;
    const [key, to] = [calls.pick(KEYS), calls.pick(KEYS)];
    const n = ++this.#n;
    const there = history.now.has(key);
    const { version } = history;
    const taken = () => expect.fail('taken');
    const missing: Answer<unknown> = there
      ? { codes }
      : {
          codes: () => ['KEY_NOT_FOUND', ...codes()],
          // It may be there where what deleted it has failed.
          answered: () => expect(this.troubles).not.toEqual([]),
        };
    const seen = (pairs: readonly Pair[]) => void history.find(pairs, acked, version);
    const acts: Record<string, () => void> = {
      write: () => {
        this.#change(`write ${key} ${n}`, () => store.write(key, payloadOf(n)), [[key, n]]);
      },
      batchWrite: () => {
        const keys = Array.from({ length: 1 + calls.below(5) }, () => calls.pick(KEYS));
        const write = () => store.batchWrite(keys.map((each) => [each, payloadOf(n)]));
        this.#change(
          `batchWrite ${keys} ${n}`,
          write,
          keys.map((each) => [each, n] as const),
        );
      },
      writeStream: () => {
        const write = () => store.writeStream(key, slowly(payloadOf(n), false));
        this.#change(`writeStream ${key} ${n}`, write, [[key, n]]);
      },
      failingStream: () => {
        const write = () => store.writeStream(key, slowly(payloadOf(n), true));
        const failing = { codes: () => ['TypeError', ...codes()], answered: taken };
        this.#start(`failing stream ${key} ${n}`, write, failing);
      },
      refused: () => {
        const refused = { codes: () => ['INVALID_ARGUMENT', ...codes()], answered: taken };
        const write = () =>
          store.batchWrite([
            [key, payloadOf(n)],
            [to, Buffer.alloc(1)],
          ]);
        this.#start('write a zero', write, refused);
      },
      delete: () => {
        const work = () => store.batchDelete([key, to]);
        this.#change(`delete ${key} ${to}`, work, [[key], [to]]);
      },
      rename: () => {
        if (key === to) return;
        const rename = () => {
          const renaming = store.rename(key, to);
          if (!there || this.closing) return renaming;
          const put = this.#put(to, (all) => all.get(key));
          return this.#acking(history.delete(key), renaming).catch(async (error) => {
            // Who can still sync has failed at reading, before anything was written.
            if (await this.#canSync())
              for (const version of [put, put + 1]) history.cancel(version);
            throw error;
          });
        };
        this.#start(`rename ${key} ${to}`, rename, missing);
      },
      copy: () => {
        const copy = () => store.copy(key, this.other!.#target(key, history.now.get(key)));
        this.#start(`copy ${key}`, copy, missing);
      },
      transfer: () => {
        const current = history.now.get(key);
        const transfer = () => {
          const target = this.other!.#target(key, current);
          const sync = async () => {
            await target.sync();
            // It is deleted in the turn in which this has resolved, if it is there still.
            if (this.closing) return;
            history.change((all) => void (all.get(key) === current && all.delete(key)));
          };
          return store.transfer(key, { ...target, sync });
        };
        this.#start(`transfer ${key}`, transfer, missing);
      },
      compact: () => {
        this.#compactions++;
        this.#start('compact', () => store.compact(), { codes });
      },
      sync: () => void this.#start('sync', () => this.#sync(), { codes }),
      verify: () => {
        const answered = ({ ok }: { ok: boolean }) => expect(ok).toBe(true);
        this.#start('verify', () => store.verify(), { answered, codes });
      },
      read: () => {
        const read = () => {
          const found = new Map(store.batchRead(KEYS).flatMap((e) => (e ? [pairOf(e)] : [])));
          const same = (all: ReadonlyMap<string, number>) =>
            all.size === found.size && [...all].every(([name, value]) => found.get(name) === value);
          history.findWhere(`${[...found]}`, same, acked);
          expect(store.len()).toBe(found.size);
          for (const each of KEYS) expect(store.exists(each)).toBe(found.has(each));
        };
        this.#start('read', read, { codes });
      },
      walk: () => {
        const walk = () => pairsOf(store.iterEntries());
        this.#start('walk', walk, { answered: seen, codes });
      },
      walkSlowly: () => {
        const walk = async () => {
          const entries: EntryHandle[] = [];
          for (const each of store) {
            entries.push(each);
            await setImmediate();
          }
          return pairsOf(entries);
        };
        this.#start('walk slowly', walk, { answered: seen, codes });
      },
      partitions: () => {
        const compactions = this.#compactions;
        const read = async () => {
          const pairs: Pair[] = [];
          try {
            for (const part of store.parIterEntries(2)) {
              for await (const each of readPartition(part, this.#disk)) pairs.push(pairOf(each));
            }
          } catch (error) {
            if (this.#compactions === 0) throw error;
            return;
          }
          // Parts are good until the next compaction.
          if (this.#compactions === 0) seen(pairs);
        };
        if (compactions === 0) this.#start('partitions', read, { codes });
      },
    };
    acts[calls.pick(Object.keys(acts))]!();
  }

  end(): void {
    const { version } = this.history;
    for (let times = 1 + this.calls.below(2); times > 0; times--) {
      const answered = () => {
        if (this.troubles.length === 0) this.synced = version;
      };
      this.#start('close', () => this.store.close(), { answered, codes: this.codes });
      this.closing = true;
    }
  }

  /** Changes in the order they are asked for, each a state of its own: a number is written, none deletes. */
  #change(
    name: string,
    work: () => Promise<unknown>,
    changes: readonly (readonly [string, number?])[],
  ): void {
    const ask = () => {
      const working = work();
      // What is refused at once changes nothing later either.
      if (this.closing) return working;
      for (const [key, n] of changes) {
        if (n === undefined) this.history.delete(key);
        else this.#put(key, () => n);
      }
      return this.#acking(this.history.version, working);
    };
    this.#start(name, ask, { codes: this.codes });
  }

  #put(key: string, n: (all: ReadonlyMap<string, number>) => number | undefined): number {
    // Two entries with one number are told apart by what stands behind its point.
    const apart = this.history.version / 2 ** 20;
    return this.history.change((all) => {
      const value = n(all);
      // What it is made of may have been taken back.
      if (value !== undefined) assign(all, key, Math.floor(value) + apart);
    });
  }

  async #acking<R>(version: number, working: Promise<R>): Promise<R> {
    const result = await working;
    this.acked = Math.max(this.acked, version);
    return result;
  }

  /** This drive for one copy: what comes is entered when it is asked for. */
  #target(key: string, n: number | undefined): DataStoreWriter {
    const writeStreamWithKeyHash: DataStoreWriter['writeStreamWithKeyHash'] = async (
      hash,
      source,
    ) => {
      // What failed before was not changed: then the bytes tell what is copied.
      const isSure = this.troubles.length === 0;
      const pieces = isSure ? source : [...(source as Iterable<Uint8Array>)];
      const copied = isSure ? n : numberOf((pieces as Uint8Array[])[0]!);
      const writing = this.store.writeStreamWithKeyHash(hash, pieces);
      if (this.closing || copied === undefined) return writing;
      const version = this.#put(key, () => copied);
      try {
        return await this.#acking(version, writing);
      } catch (error) {
        // The drive that it is copied from was closed.
        if (isEtlError(error, 'CLOSED')) this.history.cancel(version);
        throw error;
      }
    };
    const target = { writeStreamWithKeyHash, sync: () => this.#sync() };
    return target as Partial<DataStoreWriter> as DataStoreWriter;
  }

  #canSync(): Promise<boolean> {
    return this.store.sync().then(
      () => true,
      () => false,
    );
  }

  async #sync(): Promise<void> {
    const { version } = this.history;
    await this.store.sync();
    this.synced = Math.max(this.synced, version);
  }
}

/** A handle that reads beside the writer. */
export class DriveReader {
  readonly #drive: DrivePlay;
  readonly #store: DataStore;
  #at: number;
  #closing = false;

  constructor(drive: DrivePlay, store: DataStore, at: number) {
    this.#drive = drive;
    this.#store = store;
    this.#at = at;
  }

  step(): void {
    const { calls, history, troubles, acked, readerCodes } = this.#drive;
    const store = this.#store;
    const codes = () => [...(this.#closing ? ['CLOSED'] : []), ...readerCodes()];
    const acts = {
      refresh: () => {
        const answered = () => {
          this.#at = Math.max(this.#at, acked);
        };
        calls.start('reader: refresh', () => store.refresh(), { answered, codes });
      },
      walk: () => {
        const answered = (pairs: readonly Pair[]) => {
          const at = history.find(pairs, this.#at);
          // What a failed write left is cut again.
          if (troubles.length === 0) this.#at = at;
          expect(store.len()).toBe(pairs.length);
        };
        calls.start('reader: walk', () => pairsOf(store.iterEntries()), { answered, codes });
      },
      verify: () => {
        const answered = ({ ok }: { ok: boolean }) => expect(ok).toBe(true);
        calls.start('reader: verify', () => store.verify(), { answered, codes });
      },
      close: () => {
        if (calls.random() < 0.9) return;
        this.#closing = true;
        calls.start('reader: close', () => store.close(), { codes });
      },
    };
    acts[calls.pick(['refresh', 'refresh', 'walk', 'walk', 'verify', 'close'] as const)]();
  }

  close(): Promise<void> {
    return this.#store.close();
  }
}
