/**
 * Collections with a file per document against a Map: any sequence of puts, deletes and flushes, waited
 * for or not, of closing and dying, and of other programs' edits. A document keeps its place when it is replaced, and goes to the end
 * when it was deleted before.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Engine, EngineWriter } from '../../src/store/index.ts';
import { FaultDisk } from '../support/fault-disk.ts';
import { runs } from '../support/long.ts';

interface Model {
  now: Map<string, number>;
  /** What is acknowledged, or under way. */
  flushed: Map<string, number>;
}

interface Real {
  disk: FaultDisk;
  writer: EngineWriter<object>;
  reader: Engine | undefined;
  flushes: Promise<void>[];
}

type Command = fc.AsyncCommand<Model, Real>;

const open = (disk: FaultDisk) => EngineWriter.open<object>('/s', 'c', { disk });
const make = (n: number): object => (n % 3 === 0 ? { text: 'x'.repeat(n), n } : { n });
const id = fc.constantFrom('a', 'A', '__proto__', 'é'.repeat(125), 'd3');
/** So many that a few deleted ones do not have the lists written anew. */
const first = Array.from({ length: 24 }, (_, n) => [`d${n}`, n] as const);

function command(name: string, run: (model: Model, real: Real) => Promise<void> | void): Command {
  return {
    check: () => true,
    run: async (model, real) => {
      await run(model, real);
      expect(real.writer.count).toBe(model.now.size);
    },
    toString: () => name,
  };
}

async function settle({ flushes }: Real): Promise<void> {
  await Promise.all(flushes.splice(0));
}

/** What a reader, new or brought up to date, finds. */
function agree(reader: Engine, documents: ReadonlyMap<string, number>): void {
  expect(reader.docIds()).toEqual([...documents.keys()]);
  expect([...reader.scan()]).toEqual([...documents].map(([_id, n]) => ({ _id, ...make(n) })));
  expect(reader.stats().docCount).toBe(documents.size);
}

const put = fc.tuple(id, fc.nat(30)).map(([key, n]) =>
  command(`put ${key} ${n}`, (model, { writer }) => {
    writer.put(key, make(n));
    model.now.set(key, n);
  }),
);
const remove = id.map((key) =>
  command(`delete ${key}`, (model, { writer }) => {
    expect(writer.exists(key)).toBe(model.now.has(key));
    expect(writer.delete(key)).toBe(model.now.delete(key));
  }),
);
const commands = [
  ...[put, put, put, put, remove, remove, remove],
  fc.boolean().map((waits) =>
    command(waits ? 'flush' : 'begin to flush', async (model, real) => {
      real.flushes.push(real.writer.flush());
      model.flushed = new Map(model.now);
      if (waits) await settle(real);
    }),
  ),
  fc.constant(
    command('close and open', async (model, real) => {
      await real.writer.close();
      model.flushed = new Map(model.now);
      real.writer = await open(real.disk);
      const { operations } = real.disk;
      await real.writer.close();
      expect(real.disk.operations).toBe(operations);
      real.writer = await open(real.disk);
    }),
  ),
  fc.tuple(id, fc.option(fc.nat(30))).map(([key, n]) =>
    command(`somebody ${n === null ? 'removes' : `writes ${n} to`} ${key}`, async (model, real) => {
      await real.writer.close();
      const path = `/s/collections/c/docs/${key}.json`;
      if (n === null) {
        if (model.now.delete(key)) await real.disk.remove(path);
      } else if (model.now.has(key)) {
        const file = await real.disk.open(path, 'write');
        await file.truncate(0);
        await file.write(Buffer.from(JSON.stringify(make(n))), 0);
        await file.close();
        model.now.set(key, n);
      }
      model.flushed = new Map(model.now);
      real.writer = await open(real.disk);
    }),
  ),
  fc.constant(
    command('die and open', async (model, real) => {
      await settle(real);
      real.disk = new FaultDisk(real.disk.current());
      real.reader = undefined;
      real.writer = await open(real.disk);
      model.now = new Map(model.flushed);
    }),
  ),
  fc.constant(
    command('read', async (model, real) => {
      await settle(real);
      if (real.reader) await real.reader.refresh();
      real.reader ??= await Engine.open('/s', 'c', { disk: real.disk });
      agree(real.reader, model.flushed);
    }),
  ),
];

describe('a collection with a file per document', () => {
  it('is a Map', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.commands(commands, { maxCommands: 40, size: 'max' }),
        async (sequence) => {
          const setup = async () => {
            const disk = new FaultDisk();
            const writer = await open(disk);
            for (const [key, n] of first) writer.put(key, make(n));
            await writer.flush();
            const real: Real = { disk, writer, reader: undefined, flushes: [] };
            return { model: { now: new Map(first), flushed: new Map(first) }, real };
          };
          await fc.asyncModelRun(setup, sequence);
        },
      ),
      { numRuns: runs(120) },
    );
  });
});
