/** The store against a Map with insertion order: any sequence of operations, with reopening and dying. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Batch, type Document } from '../../src/core/batch.ts';
import { createKernel, type IdIndex, type Kernel, sharedKernel } from '../../src/kernels/index.ts';
import { FastStore, ZdsRoot } from '../../src/store/index.ts';
import { openForReading, type ReadingFiles } from '../../src/store/open-reading.ts';
import { FaultDisk, PowerCut } from '../support/fault-disk.ts';
import { LONG } from '../support/long.ts';
import { parseIndex } from '../support/reference-store.ts';

const INDEX = '/s/collections/c/meta/index.bin';
const DATA = '/s/collections/c/meta/data.jsonl';

/** Newest version last, as the file has it. */
type Documents = Map<string, number>;

interface Model {
  now: Documents;
  committed: Documents;
  /** Objects of other programs that have no id a collection can hold: nobody sees them, and they stay. */
  strange: number;
}

interface Real {
  disk: FaultDisk;
  store: FastStore;
  reader: FastStore | undefined;
  kernel: Kernel;
}

type Command = fc.AsyncCommand<Model, Real>;

const assign = (documents: Documents, id: string, n: number): void => {
  documents.delete(id);
  documents.set(id, n);
};
const open = ({ disk, kernel }: Real) => FastStore.open('/s', 'c', { disk, kernel });
const entries = async (files: Pick<ReadingFiles, 'scan'>) => {
  const documents = (await files.scan({ pieceBytes: 64 }).toArray()) as Document[];
  return documents.map(({ _id, n }) => [_id, n]);
};

async function agree(model: Model, { store }: Real): Promise<void> {
  expect(store.count).toBe(model.now.size);
  expect(await entries(store)).toEqual([...model.now]);
  const lines: unknown[] = [];
  for await (const batch of store.scan({ pieceBytes: 64 }).batches()) lines.push(...batch);
  expect(lines).toEqual([...model.now].map(([_id, n]) => ({ _id, n })));
}

const command = (
  name: string,
  run: (model: Model, real: Real) => Promise<void> | void,
): Command => ({
  check: () => true,
  run: async (model, real) => {
    await run(model, real);
  },
  toString: () => name,
});

const id = fc.constantFrom(
  ...['a', 'b', 'c', 'd', 'e', 'é', '日本', 'a.b', '__proto__', 'x'.repeat(255), 'é'.repeat(127)],
);
const number = fc.nat(99);
const escaped = (text: string): string =>
  text.replace(/./gu, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);
const notDocuments = [
  '',
  'x',
  '[]',
  '{"n":1}',
  '{"_id":1,"n":1}',
  `{"_id":"${'x'.repeat(70_000)}"}`,
];
/** One document, written as programs may write it: the last of several `_id` and `n` counts. */
const written = fc
  .tuple(id, number, fc.nat(7), fc.constantFrom('', ' ', '\t'))
  .map(([key, n, form, space]) => {
    const line = [
      `{"_id":"${key}","n":${n}}`,
      `{"n":${n},"_id":"${key}"}`,
      `{"_id":"${escaped(key)}","n":${n}}`,
      `{"n":${n},"\\u005fid":"${escaped(key)}"}`,
      `{"_id":"other","n":0,"_id":"${key}","n":${n}}`,
      `{"_id":"${key}","n":${n},"_id":"${key}"}`,
      `{"n":{"_id":"inner"},"_id":[{"_id":"}"}],"_id":"${key}","n":${n}}`,
      `{"\\u005f\\u0069d":"${key}" ,"n":${n},"_id":"${escaped(key)}"}`,
    ][form]!;
    return { key, n, line: space + line.replace(/(?<=["\d}\]])[,:]/g, `${space}$&${space}`) };
  });
const commands = [
  fc.tuple(id, number).map(([key, n]) =>
    command(`put ${key} ${n}`, (model, { store }) => {
      store.put(key, { n });
      assign(model.now, key, n);
    }),
  ),
  fc.array(fc.tuple(id, number), { minLength: 1, maxLength: 6 }).map((pairs) =>
    command(`append ${JSON.stringify(pairs)}`, async (model, { store, kernel }) => {
      const documents = pairs.map(([_id, n], i) => (i % 2 ? { n, _id } : { _id, n }));
      await store.append(Batch.fromDocuments(documents, kernel.codec));
      for (const [key, n] of pairs) assign(model.now, key, n);
    }),
  ),
  fc.array(written, { minLength: 1, maxLength: 6 }).map((all) =>
    command(`append ${all.map(({ line }) => line)}`, async (model, { store, kernel }) => {
      const bytes = Buffer.from(all.map(({ line }) => `${line}\n`).join(''));
      await store.append(Batch.fromLines(kernel.lines(bytes), kernel.codec));
      for (const { key, n } of all) assign(model.now, key, n);
    }),
  ),
  fc
    .tuple(
      fc.array(fc.oneof(written, fc.constantFrom(...notDocuments)), { maxLength: 6 }),
      fc.boolean(),
    )
    .map(([all, ended]) => {
      const lines = all.map((each) => (typeof each === 'string' ? each : each.line));
      return command(`another program appends ${lines}`, async (model, real) => {
        await real.store.close();
        const file = await real.disk.open(DATA, 'write');
        const whole = ended || typeof all.at(-1) === 'string';
        await file.write(Buffer.from(lines.join('\n') + (whole ? '\n' : '')), await file.size());
        await file.close();
        for (const each of all) if (typeof each === 'object') assign(model.now, each.key, each.n);
        model.strange += all.filter((each) => String(each).startsWith('{')).length;
        model.committed = new Map(model.now);
        if (whole) {
          const { disk, kernel } = real;
          const reader = await FastStore.open('/s', 'c', { disk, kernel, mode: 'read' });
          await agree(model, { ...real, store: reader });
          await reader.close();
        }
        real.store = await open(real);
        await agree(model, real);
      });
    }),
  id.map((key) =>
    command(`delete ${key}`, (model, { store }) => {
      expect(store.delete(key)).toBe(model.now.delete(key));
    }),
  ),
  id.map((key) =>
    command(`get ${key}`, (model, { store }) => {
      const n = model.now.get(key);
      expect(store.tryGet(key)).toEqual(n === undefined ? undefined : { _id: key, n });
      expect(store.exists(key)).toBe(n !== undefined);
    }),
  ),
  fc.constant(
    command('flush', async (model, { store }) => {
      await store.flush();
      model.committed = new Map(model.now);
    }),
  ),
  fc.constant(
    command('close and open', async (model, real) => {
      await real.store.close();
      model.committed = new Map(model.now);
      // To the crate the documents are what index.bin says.
      const index = parseIndex(Buffer.from(real.disk.current().get(INDEX)!))!;
      expect([...index.places.keys()].sort()).toEqual([...model.now.keys()].sort());
      real.store = await open(real);
      expect(real.store.recovery.indexRebuilt).toBeUndefined();
      await agree(model, real);
    }),
  ),
  fc.constant(
    command('die and open', async (model, real) => {
      real.disk = new FaultDisk(real.disk.current());
      real.reader = undefined;
      real.store = await open(real);
      model.now = new Map(model.committed);
      await agree(model, real);
    }),
  ),
  fc.constant(
    command('compact', async (model, { store }) => {
      await store.compact();
      model.committed = new Map(model.now);
      expect(store.info().lines).toBe(model.now.size + model.strange);
    }),
  ),
  fc.nat(16).map((operations) =>
    command(`die ${operations} operations into a compaction and open`, async (model, real) => {
      real.disk.dieAt = real.disk.operations + operations;
      const died = await real.store.compact().then(
        () => false,
        (error: unknown) => {
          if (error instanceof PowerCut) return true;
          throw error;
        },
      );
      real.disk = new FaultDisk(real.disk.current());
      real.reader = undefined;
      real.store = await open(real);
      // It commits first: what was not committed may be in or out, but whole.
      const whole = JSON.stringify([...model.now]) === JSON.stringify(await entries(real.store));
      if (died && !whole) model.now = new Map(model.committed);
      model.committed = new Map(model.now);
      await agree(model, real);
    }),
  ),
  fc.constant(
    command('lose index.bin and open', async (model, real) => {
      await real.store.close();
      model.committed = new Map(model.now);
      await real.disk.remove(INDEX);
      real.store = await open(real);
      await agree(model, real);
    }),
  ),
  fc.constant(
    command('read', async (model, real) => {
      if (real.reader) await real.reader.refresh();
      else {
        const { disk, kernel } = real;
        real.reader = await FastStore.open('/s', 'c', { disk, kernel, mode: 'read' });
      }
      expect(await entries(real.reader)).toEqual([...model.committed]);
      expect(real.reader.count).toBe(model.committed.size);
      const root = await ZdsRoot.open('/s', { disk: real.disk, mode: 'read' });
      const scanned = await openForReading(root, 'c');
      expect(await entries(scanned)).toEqual([...model.committed]);
      await scanned.close();
      await root.close();
    }),
  ),
  fc.constant(command('scan', agree)),
];

async function play(kernel: Kernel, runs: number): Promise<void> {
  await fc.assert(
    // Short sequences, which are the default, never had what a fault in recovery takes.
    fc.asyncProperty(fc.commands(commands, { maxCommands: 30, size: 'max' }), async (sequence) => {
      const setup = async () => {
        const real = { disk: new FaultDisk(), reader: undefined, kernel } as unknown as Real;
        real.store = await open(real);
        return { model: { now: new Map(), committed: new Map(), strange: 0 } as Model, real };
      };
      await fc.asyncModelRun(setup, sequence);
    }),
    { numRuns: runs },
  );
}

/** A kernel whose hashes are all equal: every id must be told apart by what is stored. */
function collidingKernel(): Kernel {
  const real = createKernel({ implementation: 'typescript' });
  const flatten = (records: Uint32Array): Uint32Array => {
    for (let i = 0; i < records.length; i += 8) records[i + 6] = records[i + 7] = 1;
    return records;
  };
  return Object.assign(Object.create(real) as Kernel, {
    keyHash: Uint32Array.of(1, 1),
    hashKey: () => undefined,
    hash: (bytes: Uint8Array) => real.hash(bytes),
    lines: (...args: Parameters<Kernel['lines']>) => {
      const table = real.lines(...args);
      flatten(table.records);
      return table;
    },
    selector: (...args: Parameters<Kernel['selector']>) => real.selector(...args),
    createIndex: () => new CollidingIndex(real.createIndex()),
    codec: {
      decode: (...args: Parameters<Kernel['codec']['decode']>) => real.codec.decode(...args),
      encode: (...args: Parameters<Kernel['codec']['encode']>) => {
        const lines = real.codec.encode(...args);
        flatten(lines.records);
        return lines;
      },
    },
  });
}

/** Goes through index.bin as if all hashes were equal: one entry at a time, each in conflict. */
class CollidingIndex {
  constructor(index: IdIndex) {
    const load: IdIndex['load'] = (bytes, limit) => {
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      if (limit === 0 || bytes.length < 2) return { consumed: 0, count: 0, end: 0 };
      const idEnd = 2 + view.getUint16(0, true);
      if (bytes.length < idEnd + 12) return { consumed: 0, count: 0, end: 0 };
      const offset = Number(view.getBigUint64(idEnd, true));
      const length = view.getUint32(idEnd + 8, true);
      const place = {
        idStart: 2,
        idEnd,
        offset,
        length,
        size: idEnd + 12,
        hashLow: 1,
        hashHigh: 1,
      };
      return { consumed: 0, count: 0, end: 0, conflict: place };
    };
    // biome-ignore lint/correctness/noConstructorReturn: a view of the index with some methods changed
    return new Proxy(index, {
      get: (target, name) => {
        if (name === 'load' || name === 'seek') return load;
        if (name === 'reserve') return () => false;
        const value = Reflect.get(target, name, target) as unknown;
        return typeof value === 'function' ? value.bind(target) : value;
      },
    }) as unknown as CollidingIndex;
  }
}

describe('FastStore behaves like a Map', () => {
  it('in any sequence of operations', () => play(sharedKernel(), LONG ? 3000 : 20));
  it('even if all ids had the same hash', () => play(collidingKernel(), LONG ? 600 : 10));
});
