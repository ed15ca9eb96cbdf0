/**
 * Runs into a store on a disk that dies or fails at every one of its operations. A load that replaces
 * leaves the old collection or the new one, whole; so does one that deletes first. A load that goes on from its cursor ends with every
 * document once, whatever image the disk kept.
 *
 * Deliberate breakages that make this file fail, each tried: a replacement published
 * that was not closed in good order; commits where no cursor stands; a cursor on more than the last of
 * the batches that it covers.
 *
 * Every operation is tried, with a quarter of the images; with ZDS_FUZZ=long all.
 */
import { describe, expect, it } from 'vitest';
import type { Batch, Document } from '../../src/core/batch.ts';
import { isEtlError } from '../../src/core/errors.ts';
import { eq } from '../../src/core/predicate.ts';
import type { Source } from '../../src/core/stage.ts';
import { run } from '../../src/pipeline/index.ts';
import type { WriteDisposition } from '../../src/sinks/zds-disposition.ts';
import { zdsSink } from '../../src/sinks/zds-sink.ts';
import { FastStore, ZdsRoot } from '../../src/store/index.ts';
import { type Fault, FaultDisk, fingerprint, type Image, PowerCut } from '../support/fault-disk.ts';
import { inSample } from '../support/long.ts';
import { linesBatch } from '../support/stages.ts';

const META = '/s/collections/c/meta';
const documents = (prefix: string, count: number): Document[] =>
  Array.from({ length: count }, (_, n) => ({ _id: `${prefix}${n}`, n, pad: 'x'.repeat(30) }));
const old = documents('old', 6);
const fresh = documents('new', 9);

/** Batches of three, that go on from a count. */
const source: Source = {
  name: 'fresh',
  async *batches(_signal, _wants, from = 0) {
    for (let n = from as number; n < fresh.length; n += 3) {
      yield linesBatch(fresh.slice(n, n + 3), n).withCursor(n + 3);
    }
  },
};

/** The same with a cursor behind every second batch and the last only. */
const sparing: Source = {
  name: 'fresh',
  async *batches(...given) {
    for await (const batch of source.batches(...given)) {
      yield batch.cursor === 3 ? batch.withCursor(undefined) : batch;
    }
  },
};

/** Each batch in two, so that the first has no cursor. */
const halved = {
  name: 'halved',
  apply: (batch: Batch) => [batch.slice(0, 1), batch.slice(1, batch.length)],
};

async function load(
  disk: FaultDisk,
  write: WriteDisposition,
  resume = false,
  from = source,
): Promise<void> {
  const root = await ZdsRoot.open('/s', { disk });
  try {
    const sink = zdsSink(root, 'c', { write, commitDocuments: 1 });
    await run({ name: 'load', source: from, transforms: [halved], sink, resume });
  } finally {
    await root.close();
  }
}

async function prepare(): Promise<Image> {
  const disk = new FaultDisk();
  const store = await FastStore.open('/s', 'c', { disk });
  for (const { _id, ...rest } of old) store.put(_id as string, rest);
  await store.compact();
  await store.close();
  return disk.current();
}

async function contents(disk: FaultDisk, mode: 'read' | 'write'): Promise<Document[]> {
  const store = await FastStore.open('/s', 'c', { disk, mode });
  try {
    return await store.scanAll();
  } finally {
    await store.close();
  }
}

interface Attempt {
  readonly disk: FaultDisk;
  readonly done: boolean;
}

async function attempt(
  start: Image,
  write: WriteDisposition,
  dieAt: number,
  fault: Fault = 'die',
): Promise<Attempt> {
  const disk = new FaultDisk(start);
  disk.dieAt = dieAt;
  disk.fault = fault;
  try {
    await load(disk, write);
    return { disk, done: true };
  } catch (error) {
    const expected =
      error instanceof PowerCut || isEtlError(error, 'IO_ERROR') || isEtlError(error, 'POISONED');
    if (!expected && !String(error).includes('power')) throw error;
    return { disk, done: false };
  }
}

describe('a run that replaces', () => {
  const checked = new Set<string>();

  async function check(image: Image, done: boolean, what: string): Promise<void> {
    const key = String(done) + fingerprint(image);
    if (checked.has(key)) return;
    checked.add(key);
    const disk = new FaultDisk(image);
    const seen = await contents(disk, 'read');
    expect(disk.operations, `${what}: a reader wrote`).toBe(0);
    expect(seen, what).toEqual(seen[0]?._id === 'old0' && !done ? old : fresh);
    expect(await contents(disk, 'write'), what).toEqual(seen);
    const names = (await disk.list(META)).map(({ name }) => name).sort();
    expect(
      names.filter((name) => name !== 'runs.jsonl'),
      what,
    ).toEqual(['commits.log', 'data.jsonl', 'index.bin']);
    await load(disk, 'replace');
    expect(await contents(disk, 'read'), what).toEqual(fresh);
  }

  it('leaves the old collection or the new one', { timeout: 60_000 }, async () => {
    const start = await prepare();
    const { disk: whole, done } = await attempt(start, 'replace', Number.POSITIVE_INFINITY);
    expect(done).toBe(true);
    let images = 0;
    for (let k = 0; k <= whole.operations; k++) {
      const { disk, done } = await attempt(start, 'replace', k);
      for (const { what, image } of disk.images()) {
        if (inSample(k, images++)) await check(image, done, `operation ${k}, ${what}`);
      }
    }
  });

  it.each(['EIO', 'ENOSPC', 'short'] as const)('the same after %s', async (fault) => {
    const start = await prepare();
    const { disk: whole } = await attempt(start, 'replace', Number.POSITIVE_INFINITY);
    for (let k = 0; k < whole.operations; k++) {
      const { disk, done } = await attempt(start, 'replace', k, fault);
      await check(disk.current(), done, `${fault} at ${k}`);
    }
  });
});

describe('a run that deletes first', () => {
  const all = 'x'.repeat(30);

  it.each<[string, WriteDisposition]>([
    ['what matches', { deleteWhere: eq('pad', all) }],
    ['the partitions that come', { deleteBy: 'pad' }],
  ])('leaves the old documents or the new ones: %s', async (_, write) => {
    const start = await prepare();
    const { disk: whole } = await attempt(start, write, Number.POSITIVE_INFINITY);
    expect(await contents(whole, 'read')).toEqual(fresh);
    const seen = new Map<string, string>();
    for (let k = 0; k <= whole.operations; k++) {
      const { disk, done } = await attempt(start, write, k);
      for (const { what, image } of disk.images()) {
        const key = fingerprint(image);
        if (seen.has(key)) continue;
        const there = await contents(new FaultDisk(image), 'write');
        const which = there[0]?._id === 'old0' && !done ? 'old' : 'new';
        expect(there, `operation ${k}, ${what}`).toEqual(which === 'old' ? old : fresh);
        seen.set(key, which);
      }
    }
    expect(new Set(seen.values())).toEqual(new Set(['old', 'new']));
  });
});

describe.each([
  ['each batch', source, false],
  ['some batches', sparing, true],
] as const)('a run that goes on, with cursors of %s', (_, from, resume) => {
  it('ends with every document once, whatever was kept', { timeout: 60_000 }, async () => {
    const start = await prepare();
    const whole = new FaultDisk(start);
    await load(whole, 'append', resume, from);
    const seen = new Set<string>();
    for (let k = 0; k <= whole.operations; k++) {
      const disk = new FaultDisk(start);
      disk.dieAt = k;
      await load(disk, 'append', resume, from).catch(() => {});
      for (const { what, image } of disk.images()) {
        const key = fingerprint(image);
        if (seen.has(key)) continue;
        seen.add(key);
        const after = new FaultDisk(image);
        // A document that came again would be an error.
        await load(after, 'append', true, from);
        const there = await contents(after, 'read');
        expect(there, `operation ${k}, ${what}`).toEqual([...old, ...fresh]);
      }
    }
    expect(seen.size).toBeGreaterThan(20);
  });
});
