/**
 * Collections with a file per document whose other files are damaged: bytes of manifest.json,
 * order.ids, doc_index.jsonl, schemas.jsonl and journal.log flipped, truncations, and garbage.
 * The documents' own files are the truth, so damage beside them costs the order of documents at most:
 * every document is there with its contents under its id, and nothing else is. Only a manifest that
 * is none is refused, as CORRUPTED_DATA: it alone says that a collection is strict.
 *
 * ZDS_FUZZ=long flips every bit of every byte and cuts everywhere; else every 23rd byte.
 */
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { isEtlError } from '../../src/core/errors.ts';
import { Engine, EngineWriter } from '../../src/store/index.ts';
import { FaultDisk, type Image } from '../support/fault-disk.ts';
import { inSample, LONG } from '../support/long.ts';
import { expectSame } from '../support/same.ts';

const META = '/s/collections/c/meta/';
const FILES = [
  'manifest.json',
  'order.ids',
  'doc_index.jsonl',
  'schemas.jsonl',
  'journal.log',
] as const;
type FileName = (typeof FILES)[number];

let samples: readonly Image[];
/** Alive in both samples. */
const living = new Map<string, string>();

async function makeSample(end: 'close' | 'die'): Promise<Image> {
  const disk = new FaultDisk();
  let writer = await EngineWriter.open('/s', 'c', { disk });
  for (const [n, id] of ['b', 'a', 'é', 'gone'].entries()) writer.put(id, { n });
  await writer.close();
  writer = await EngineWriter.open('/s', 'c', { disk });
  writer.put('a', { n: 1, text: 'of another schema' });
  writer.delete('gone');
  await writer.flush();
  writer.put('z', { list: [1, { x: true }] });
  await writer.flush();
  if (end === 'close') await writer.close();
  return disk.current();
}

/** What doc_index.jsonl has of each document, but for its time. */
function knownOf(image: Image): { [id: string]: unknown } {
  const lines = Buffer.from(image.get(`${META}doc_index.jsonl`)!)
    .toString()
    .trimEnd()
    .split('\n');
  const entries = lines.map((line) => JSON.parse(line) as { doc_id: string; mtime: number });
  return Object.fromEntries(
    entries
      .filter(({ doc_id }) => living.has(doc_id))
      .map(({ mtime, ...rest }) => {
        expect(mtime).toBeGreaterThanOrEqual(0);
        return [rest.doc_id, rest];
      }),
  );
}

let known: { [id: string]: unknown };

beforeAll(async () => {
  samples = [await makeSample('close'), await makeSample('die')];
  const engine = await Engine.open('/s', 'c', { disk: new FaultDisk(samples[0]) });
  for (const document of engine.scan())
    living.set(document._id as string, JSON.stringify(document));
  await engine.close();
  expect([...living.keys()]).toEqual(['b', 'a', 'é', 'z']);
  known = knownOf(samples[0]!);
});

/** Reads, writes, and reads again. Answers the code of a refusal. */
async function check(image: Image, what: string): Promise<string | undefined> {
  try {
    await expectLiving(new FaultDisk(image), [], what);
    const disk = new FaultDisk(image);
    const writer = await EngineWriter.open('/s', 'c', { disk });
    expectSame(writer.count, living.size, what);
    writer.put('new', { n: 9 });
    await writer.close();
    await expectLiving(disk, ['new'], what);
    // The writer has mended what was damaged: the next one has nothing to do.
    const { operations } = disk;
    await (await EngineWriter.open('/s', 'c', { disk })).close();
    expectSame(disk.operations, operations, what);
    return undefined;
  } catch (error) {
    if (!isEtlError(error)) throw error;
    expect(error.place.path, what).toContain('/s/');
    return error.code;
  }
}

async function expectLiving(disk: FaultDisk, more: readonly string[], what: string): Promise<void> {
  const { operations } = disk;
  const engine = await Engine.open('/s', 'c', { disk });
  expectSame(engine.len(), living.size + more.length, what);
  const found = new Map<string, string>();
  for (const document of engine.scan()) found.set(document._id as string, JSON.stringify(document));
  const wanted = [...living.keys(), ...more].sort();
  expectSame(JSON.stringify([...found.keys()].sort()), JSON.stringify(wanted), what);
  for (const [id, json] of living) {
    expectSame(found.get(id), json, what);
    expectSame(JSON.stringify(engine.getDocument(id)), json, what);
  }
  for (const [ordinal, id] of engine.docIds().entries()) {
    expectSame(engine.getDocumentAt(ordinal)._id, id, what);
  }
  expectSame(engine.stats().docCount, found.size, what);
  await engine.close();
  expectSame(disk.operations, operations, `${what}: a reader wrote`);
}

function* damaged(bytes: Uint8Array, first: number): Generator<readonly [string, Uint8Array]> {
  const step = LONG ? 1 : 23;
  for (let at = LONG ? 0 : first; at < bytes.length; at += step) {
    for (const bit of LONG ? [0, 1, 2, 3, 4, 5, 6, 7] : [(at * 5) % 8]) {
      const flipped = bytes.slice();
      flipped[at]! ^= 1 << bit;
      yield [`bit ${bit} of byte ${at} flipped`, flipped];
    }
  }
  for (let size = 0; size < bytes.length; size += step) {
    yield [`cut to ${size} bytes`, bytes.slice(0, size)];
  }
}

/** A damaged manifest may be refused, or be another that is sound: one that says strict refuses the new document. */
function expectCode(name: FileName, code: string | undefined, what: string): void {
  const allowed = name === 'manifest.json' ? ['CORRUPTED_DATA', 'SCHEMA_MISMATCH'] : [];
  expect([undefined, ...allowed], what).toContain(code);
}

describe('a damaged file beside the documents', () => {
  it.each(FILES)('costs no document: %s', async (name) => {
    for (const [which, image] of samples.entries()) {
      for (const [how, bytes] of damaged(image.get(META + name)!, which * 5)) {
        const what = `${name}, sample ${which}, ${how}`;
        expectCode(name, await check(new Map(image).set(META + name, bytes), what), what);
      }
      const without = new Map(image);
      without.delete(META + name);
      expect(await check(without, `no ${name}`)).toBeUndefined();
    }
  });

  it.each([
    ['doc_index.jsonl', ['doc_id', 'schema_id', 'size', 'mtime']],
    ['schemas.jsonl', ['schema_id', 'schema', 'count']],
    ['journal.log', ['op', 'doc_id', 'schema_id', 'size', 'batch_id']],
  ] as const)('with a field of a wrong type is not believed: %s', async (name, fields) => {
    for (const image of samples) {
      const sizes = [...image]
        .filter(([path]) => living.has(/docs\/(.*)\.json$/.exec(path)?.[1] ?? ''))
        .map(([, bytes]) => bytes.length);
      const lines = Buffer.from(image.get(META + name)!)
        .toString()
        .trimEnd()
        .split('\n');
      for (const [at, line] of lines.entries()) {
        for (const field of fields) {
          if (!(field in (JSON.parse(line) as object))) continue;
          for (const [n, value] of [null, true, -1, 1.5, '1', 'x', [], {}, 1e300].entries()) {
            if (!inSample(n, at)) continue;
            const what = `${name}, line ${at}, ${field} is ${JSON.stringify(value)}`;
            const wrong = JSON.stringify({ ...(JSON.parse(line) as object), [field]: value });
            const text = `${lines.map((each, i) => (i === at ? wrong : each)).join('\n')}\n`;
            const changed = new Map(image).set(META + name, Buffer.from(text));
            const engine = await Engine.open('/s', 'c', { disk: new FaultDisk(changed) });
            const total = sizes.reduce((sum, size) => sum + size, 0);
            expect(engine.stats().totalSize, what).toBe(total);
            await engine.close();
            expect(await check(changed, what), what).toBeUndefined();
            const disk = new FaultDisk(changed);
            await (await EngineWriter.open('/s', 'c', { disk })).close();
            expect(knownOf(disk.current()), what).toEqual(expect.objectContaining(known));
          }
        }
      }
    }
  });

  it('costs none when several are garbage', async () => {
    // Bytes; or JSON of the wrong shape, with the fields that the files have.
    const value = fc.oneof(
      fc.constantFrom('a', 'z', 'PUT', 'DELETE', 'CHECKPOINT', null, 0, -1, 1e300, true),
      fc.jsonValue({ maxDepth: 1 }),
    );
    const fields = ['op', 'doc_id', 'schema_id', 'size', 'mtime', 'batch_id', 'strict', 'count'];
    const object = fc.dictionary(fc.constantFrom(...fields), value);
    const lines = fc.array(fc.oneof(value, object), { minLength: 1, maxLength: 4 });
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 80 }),
      lines.map((each) => Buffer.from(each.map((line) => `${JSON.stringify(line)}\n`).join(''))),
    );
    const garbage = fc.array(fc.tuple(fc.constantFrom(...FILES), bytes, fc.boolean()), {
      minLength: 1,
      maxLength: 4,
    });
    await fc.assert(
      fc.asyncProperty(fc.nat(1), garbage, async (which, changes) => {
        const image = new Map(samples[which]!);
        for (const [name, bytes, whole] of changes) {
          const old = whole ? [] : [image.get(META + name)!];
          image.set(META + name, new Uint8Array(Buffer.concat([...old, bytes])));
        }
        const code = await check(image, 'garbage');
        const refusable = changes.some(([name]) => name === 'manifest.json');
        expectCode(refusable ? 'manifest.json' : 'order.ids', code, 'garbage');
      }),
      { numRuns: LONG ? 5000 : 50 },
    );
  });
});
