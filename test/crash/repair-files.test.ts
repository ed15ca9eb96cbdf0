/**
 * Repair of a file per document under a disk that dies or fails at every one of its operations: all that
 * is whole can be read in its order at any moment, every damaged byte is where it was or put aside, and
 * the next repair ends the work.
 *
 * Deliberate breakages that make this file fail, each tried: docs/ synced before the folder of what is put
 * aside, either of them not at all; the damaged manifest removed before the new one is there; its copy not
 * synced, nor the new one; order.ids not synced; and, with ZDS_FUZZ=long, the new manifest written over the
 * old one. (That the folder's own name is synced no test can tell: this disk has no folders without files.)
 *
 * Every operation is tried, with a quarter of the images and one of the errors; with ZDS_FUZZ=long all.
 */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { enginePaths } from '../../src/store/engine/state.ts';
import { Engine, repair, SyncWriter, verify } from '../../src/store/index.ts';
import { repairWholly, testDyingRepair } from '../support/dying-repair.ts';
import { FaultDisk, fingerprint, type Image } from '../support/fault-disk.ts';

const paths = enginePaths('/s', 'c');
const expected = ['m', 'z', 'k', 'a', 'new'];
const damaged = new Map([
  [`${paths.docs}/b.json`, '{"text": "b'],
  [`${paths.docs}/q.json`, `[${'"long",'.repeat(100)}1]`],
  [paths.manifest, '{"version": "0.1.2", "strict": true, "created'],
]);

/** Something of every kind of damage that there can be. */
async function damagedImage(): Promise<Image> {
  const disk = new FaultDisk();
  const writer = await SyncWriter.open('/s', 'c', { disk, strict: true });
  for (const id of ['m', 'b', 'z', 'k', 'a']) await writer.put(id, { text: id });
  await writer.close();
  const image = new Map(disk.current());
  const set = (path: string, text: string) => image.set(path, Uint8Array.from(Buffer.from(text)));
  for (const [path, text] of damaged) set(path, text);
  set(`${paths.docs}/new.json`, '{"text": "by hand"}');
  set(`${paths.docs}/.x.tmp`, '{"te');
  set(paths.order, 'm\nghost\nb\nz\nm\n{garbage\nk\na\n');
  set(paths.docIndex, '{"doc_id":"m","schema_id":"0","size":1}\n{"doc');
  set(paths.schemas, '{"schema_id":"0"}\n');
  const journal = Buffer.from(image.get(paths.journal)!).toString();
  set(paths.journal, `${journal}{"op":"PUT","doc_id":"nev`);
  return image;
}

/** What the files that were damaged hold, wherever they are now. */
function putAside(image: Image): Set<string> {
  const places = [...image].filter(
    ([path]) => damaged.has(path) || path.startsWith(`${paths.meta}/dropped-`),
  );
  return new Set(places.map(([, bytes]) => Buffer.from(bytes).toString()));
}

const checked = new Set<string>();

async function check(image: Image, what: string): Promise<void> {
  const key = fingerprint(image);
  if (checked.has(key)) return;
  vi.setSystemTime(1000);
  for (const text of damaged.values()) expect([...putAside(image)], what).toContain(text);
  const disk = new FaultDisk(image);
  const before = await Engine.open('/s', 'c', { disk });
  const whole = before.docIds().filter((id) => !damaged.has(`${paths.docs}/${id}.json`));
  expect(whole, what).toEqual(expected);
  for (const id of whole) before.getDocument(id);
  await repair('/s', 'c', { disk });
  for (const text of damaged.values()) expect([...putAside(disk.current())], what).toContain(text);
  const [report] = await verify('/s', 'c', { disk });
  const left = report!.findings.filter(({ message }) => !message.includes('put aside'));
  expect(left, what).toEqual([]);
  const engine = await Engine.open('/s', 'c', { disk });
  expect(engine.docIds(), what).toEqual(expected);
  expect(engine.stats(), what).toMatchObject({ docCount: 5, schemaCount: 1, strictMode: true });
  expect(await repair('/s', 'c', { disk }), what).toMatchObject({ action: 'none' });
  checked.add(key);
  vi.setSystemTime(0);
}

// Equal times make equal images equal.
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'], now: 0 });
});
afterEach(() => {
  vi.useRealTimers();
});

describe('repair of a file per document whose machine dies', () => {
  it('loses nothing, and all is mended once it has ended', async () => {
    const disk = await repairWholly(await damagedImage());
    for (const { what, image } of disk.images()) {
      await check(image, `end, ${what}`);
      const [report] = await verify('/s', 'c', { disk: new FaultDisk(image) });
      expect(report, `end, ${what}`).toMatchObject({ ok: true, documents: 5 });
    }
  });

  testDyingRepair(damagedImage, check, {
    images: 150,
    unsynced: ['manifest.damaged', 'manifest.json.tmp'],
  });
});
