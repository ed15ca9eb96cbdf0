/**
 * Damaged files: bytes of every file of a small store flipped, truncations, and pieces cut
 * out, doubled, zeroed and put elsewhere. Whatever is done to them, opening ends (with what is there,
 * or with an EtlError that says what is wrong), and nobody gets a document that was never stored
 * under its id. What can be known of each file:
 *
 * - index.bin: any damage is noticed and costs nothing; the index comes from the data, and
 *   `recovery.indexRebuilt` says so where it was unreadable.
 * - commits.log: damage before the last lines is refused as CORRUPTED_DATA. The last line may look
 *   torn as after a power cut: a commit in it counts as never made, is cut, and the cut is reported.
 *   With the index at hand a shortened log costs no living document.
 * - data.jsonl has no sums: a byte flipped inside a document is not noticed on opening. It costs the
 *   lines that it touches, and no others. A file shorter than what was committed is refused.
 *
 * ZDS_FUZZ=long flips every bit of every byte and cuts everywhere; else every few bytes.
 */
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Document } from '../../src/core/batch.ts';
import { isEtlError } from '../../src/core/errors.ts';
import { createKernel } from '../../src/kernels/index.ts';
import { FastStore } from '../../src/store/index.ts';
import { FaultDisk, type Image } from '../support/fault-disk.ts';
import { LONG } from '../support/long.ts';
import { expectSame } from '../support/same.ts';

const folder = '/s/collections/c/meta/';
const files = ['index.bin', 'commits.log', 'data.jsonl'] as const;
type FileName = (typeof files)[number];
const kernel = createKernel();

interface Sample {
  readonly image: Image;
  /** Documents alive by id, as JSON. */
  readonly living: ReadonlyMap<string, string>;
}

interface Outcome {
  readonly code?: string;
  readonly documents: ReadonlyMap<string, string>;
  /** Something was cut, made anew or adopted. */
  readonly told: boolean;
}

/** Everything that was ever stored, as `id json`. */
const stored = new Set<string>();
let closed: Sample;
let died: Sample;

const openOn = (disk: FaultDisk, mode: 'read' | 'write' = 'write') =>
  FastStore.open('/s', 'c', { disk, kernel, mode });

async function makeSample(end: 'close' | 'die'): Promise<Sample> {
  const disk = new FaultDisk();
  const put = (store: FastStore, id: string, document: Document): void => {
    store.put(id, document);
    stored.add(`${id} ${JSON.stringify({ _id: id, ...document })}`);
  };
  let store = await openOn(disk);
  for (const [n, id] of ['a', 'b', 'c', 'é', 'e'].entries()) put(store, id, { n });
  await store.flush({ cursor: { at: 5 }, loadId: 'one' });
  store.delete('b');
  await store.close();
  store = await openOn(disk);
  put(store, 'c', { again: true });
  store.delete('é');
  await store.flush();
  put(store, 'a.b', { text: 'a "quoted" text \\ and more of it' });
  put(store, 'h', { list: [1, 2, { _id: 'x' }] });
  if (end === 'close') await store.close();
  else await store.flush();
  const image = disk.current();
  return { image, living: (await outcomeOf(image, 'read')).documents };
}

async function outcomeOf(image: Image, mode: 'read' | 'write'): Promise<Outcome> {
  const documents = new Map<string, string>();
  try {
    const store = await openOn(new FaultDisk(image), mode);
    const { recovery } = store;
    const told = Object.values(recovery).some((value) => value !== 0);
    for (const document of await store.scanAll()) {
      documents.set(document._id as string, JSON.stringify(document));
    }
    for (const id of ['a', 'c', 'h']) {
      const found = JSON.stringify(tryGet(store, id));
      if (found !== undefined && documents.has(id)) expectSame(found, documents.get(id));
    }
    await goOn(store);
    return { documents, told };
  } catch (error) {
    if (!isEtlError(error)) throw error;
    expect(['CORRUPTED_DATA', 'CORRUPTED_INDEX']).toContain(error.code);
    expect(error.place.path ?? '').toContain('/s/');
    return { code: error.code, documents, told: true };
  }
}

/** A line that is hit may be refused on its own. */
function tryGet(store: FastStore, id: string): Document | undefined {
  try {
    return store.tryGet(id);
  } catch (error) {
    if (!isEtlError(error, 'CORRUPTED_DATA')) throw error;
    return undefined;
  }
}

/** Writes and closes. Where documents that the index counts are gone, no new index can be made. */
async function goOn(store: FastStore): Promise<void> {
  if (store.mode === 'write') store.put('new', {});
  try {
    await store.close();
  } catch (error) {
    if (!isEtlError(error, 'CORRUPTED_INDEX')) throw error;
  }
}

/** The image with other bytes in one of its files; undefined removes it. */
function changed({ image }: Sample, name: FileName, bytes: Uint8Array | undefined): Image {
  const files = new Map(image);
  if (bytes === undefined) files.delete(folder + name);
  else files.set(folder + name, bytes);
  return files;
}

const bytesOf = ({ image }: Sample, name: FileName): Uint8Array => image.get(folder + name)!;

/** Every so many bytes with one bit flipped, or every byte with each bit. Odd steps take every bit. */
function* flips(bytes: Uint8Array, step: 5 | 7 | 17): Generator<readonly [number, Uint8Array]> {
  for (let at = 0; at < bytes.length; at += LONG ? 1 : step) {
    for (const bit of LONG ? [0, 1, 2, 3, 4, 5, 6, 7] : [(at * 5) % 8]) {
      const flipped = bytes.slice();
      flipped[at]! ^= 1 << bit;
      yield [at, flipped];
    }
  }
}

function* truncations(
  bytes: Uint8Array,
  step: 5 | 7 | 17,
): Generator<readonly [number, Uint8Array]> {
  const by = LONG ? 1 : step;
  for (let size = 0; size < bytes.length; size += by) yield [size, bytes.slice(0, size)];
}

/** Opens for reading, then for writing; both must say the same. */
async function both(image: Image, sameData = true): Promise<Outcome> {
  const reader = await outcomeOf(image, 'read');
  const writer = await outcomeOf(image, 'write');
  expectSame(writer.code, reader.code);
  // A document that lost its line end is given one by a writer, and left out by a reader.
  if (!sameData) return writer;
  expectSame(JSON.stringify([...writer.documents]), JSON.stringify([...reader.documents]));
  return writer;
}

function onlyWhatWasStored({ documents }: Outcome): void {
  for (const [id, json] of documents) {
    if (!stored.has(`${id} ${json}`)) expect(stored).toContain(`${id} ${json}`);
  }
}

function nothingLost(sample: Sample, outcome: Outcome): void {
  expect(outcome.code).toBeUndefined();
  for (const [id, json] of sample.living) expectSame(outcome.documents.get(id), json);
}

beforeAll(async () => {
  closed = await makeSample('close');
  died = await makeSample('die');
});

describe('the samples', () => {
  it('hold what they should', () => {
    for (const sample of [closed, died]) {
      expect([...sample.living.keys()]).toEqual(['a', 'e', 'c', 'a.b', 'h']);
    }
  });
});

describe('a damaged index.bin', () => {
  it('makes no room for entries that it cannot hold', async () => {
    const before = process.memoryUsage().rss;
    for (const at of [8, 9, 10, 11, 12, 13, 14, 15]) {
      const damaged = bytesOf(closed, 'index.bin').slice();
      damaged[at]! ^= 0x88;
      nothingLost(closed, await both(changed(closed, 'index.bin', damaged)));
    }
    expect(process.memoryUsage().rss - before).toBeLessThan(64 << 20);
  });

  it.each(['flips', 'truncations'] as const)('costs nothing: %s', async (kind) => {
    for (const sample of [closed, died]) {
      const bytes = bytesOf(sample, 'index.bin');
      for (const [at, damaged] of kind === 'flips' ? flips(bytes, 5) : truncations(bytes, 5)) {
        const outcome = await both(changed(sample, 'index.bin', damaged));
        expect([at, ...outcome.documents]).toEqual([at, ...sample.living]);
        if (sample === closed && kind === 'truncations') expect(outcome.told).toBe(true);
      }
    }
    expect([...(await both(changed(closed, 'index.bin', undefined))).documents]).toEqual([
      ...closed.living,
    ]);
  });
});

describe('a damaged commits.log', () => {
  it('loses no commit silently: flips', async () => {
    for (const sample of [closed, died]) {
      const bytes = bytesOf(sample, 'commits.log');
      const lastLine = bytes.lastIndexOf(10, bytes.length - 2) + 1;
      for (const [at, damaged] of flips(bytes, 17)) {
        const outcome = await both(changed(sample, 'commits.log', damaged));
        onlyWhatWasStored(outcome);
        if (outcome.code !== undefined) continue;
        const whole = [...sample.living].every(([id, json]) => outcome.documents.get(id) === json);
        // Only the last line (or two in one) can be taken for a torn one; the cut is told.
        if (!whole) expect([at >= lastLine - 1, outcome.told]).toEqual([true, true]);
      }
    }
  });

  it('costs no living document when it is shortened and the index is there', async () => {
    for (const [size, damaged] of truncations(bytesOf(closed, 'commits.log'), 17)) {
      const outcome = await both(changed(closed, 'commits.log', damaged));
      onlyWhatWasStored(outcome);
      nothingLost(closed, outcome);
      expect(size).toBeGreaterThanOrEqual(0);
    }
    nothingLost(closed, await both(changed(closed, 'commits.log', undefined)));
  });
});

describe('a damaged data.jsonl', () => {
  it('loses the lines that are hit: flips', async () => {
    for (const sample of [closed, died]) {
      const bytes = bytesOf(sample, 'data.jsonl');
      const text = Buffer.from(bytes).toString();
      for (const [at, damaged] of flips(bytes, 7)) {
        const outcome = await both(changed(sample, 'data.jsonl', damaged));
        const hit = linesAround(bytes, at);
        for (const [id, json] of sample.living) {
          if (outcome.code !== undefined || hit.includes(json)) continue;
          // An id that the damaged line has taken on stands twice: the newer of the two is shown.
          const found = outcome.documents.get(id);
          const taken = Buffer.from(damaged)
            .toString()
            .split('\n')
            .includes(found ?? '');
          const explained = found === json || (taken && !text.includes(found ?? ''));
          expectSame(explained, true, `byte ${at}`);
        }
      }
    }
  });

  it('is refused when committed bytes are gone', async () => {
    for (const sample of [closed, died]) {
      for (const [, damaged] of truncations(bytesOf(sample, 'data.jsonl'), 5)) {
        const outcome = await both(changed(sample, 'data.jsonl', damaged));
        expect(outcome.code).toBe('CORRUPTED_DATA');
      }
    }
  });
});

/** The line of a byte, and the one behind it when the byte is a line end. */
function linesAround(bytes: Uint8Array, at: number): string[] {
  const text = Buffer.from(bytes);
  const start = at === 0 ? 0 : text.lastIndexOf(10, at - 1) + 1;
  const end = text.indexOf(10, at);
  const next = end === at ? text.indexOf(10, at + 1) : end;
  return text.toString('utf8', start, next < 0 ? bytes.length : next).split('\n');
}

describe('files with pieces cut out, doubled, zeroed or put elsewhere', () => {
  const splice = fc.record({
    file: fc.constantFrom(...files),
    dead: fc.boolean(),
    from: fc.double({ min: 0, max: 1, noNaN: true }),
    size: fc.nat(60),
    to: fc.double({ min: 0, max: 1, noNaN: true }),
    kind: fc.constantFrom('cut', 'double', 'zero', 'random', 'append'),
    random: fc.uint8Array({ minLength: 1, maxLength: 40 }),
  });

  it('open or are refused, and invent nothing', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(splice, { minLength: 1, maxLength: 3 }), async (splices) => {
        const sample = splices[0]!.dead ? died : closed;
        const image = new Map(sample.image);
        for (const { file, from, size, to, kind, random } of splices) {
          const bytes = Buffer.from(image.get(folder + file)!);
          const start = Math.floor(from * bytes.length);
          const part = bytes.subarray(start, start + size);
          const target = Math.floor(to * bytes.length);
          const insert = { cut: [], double: [part], zero: [], random: [random], append: [random] };
          const at = kind === 'append' ? bytes.length : target;
          const rest = kind === 'cut' ? bytes.subarray(at + size) : bytes.subarray(at);
          if (kind === 'zero') part.fill(0);
          image.set(folder + file, Buffer.concat([bytes.subarray(0, at), ...insert[kind], rest]));
        }
        const touched = splices.some(({ file }) => file === 'data.jsonl');
        const outcome = await both(image, !touched);
        if (!touched) onlyWhatWasStored(outcome);
        if (splices.every(({ file }) => file === 'index.bin')) {
          expect([...outcome.documents]).toEqual([...sample.living]);
        }
      }),
      { numRuns: LONG ? 20_000 : 50 },
    );
  });
});
