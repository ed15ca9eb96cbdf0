/** `repair` keeps every document and delete that can still be told, and puts the rest aside. */
import { describe, expect, it } from 'vitest';
import { FastStore, reindex, repair, verify } from '../../../src/store/index.ts';
import { type IndexEntry, writeEntries } from '../../../src/store/index-entries.ts';
import { FaultDisk } from '../../support/fault-disk.ts';

const META = '/s/collections/c/meta';
const DATA = `${META}/data.jsonl`;
const INDEX = `${META}/index.bin`;
const LOG = `${META}/commits.log`;

async function store(): Promise<FaultDisk> {
  const disk = new FaultDisk();
  const handle = await FastStore.open('/s', 'c', { disk });
  for (let commit = 1; commit <= 4; commit++) {
    for (let i = 0; i < 4; i++) handle.put(`d${commit}${i}`, { commit, i });
    if (commit === 2) handle.delete('d11');
    if (commit === 3) handle.put('d12', { newer: true });
    await handle.flush({ cursor: commit });
  }
  await handle.close();
  return disk;
}

function change(disk: FaultDisk, path: string, work: (bytes: Buffer) => Uint8Array): FaultDisk {
  const image = new Map(disk.current());
  image.set(path, new Uint8Array(work(Buffer.from(image.get(path)!))));
  return new FaultDisk(image);
}

async function contents(disk: FaultDisk): Promise<Map<string, unknown>> {
  const handle = await FastStore.open('/s', 'c', { disk, mode: 'read' });
  const found = new Map((await handle.scanAll()).map(({ _id, ...rest }) => [_id as string, rest]));
  await handle.close();
  return found;
}

async function sound(disk: FaultDisk): Promise<void> {
  const [report] = await verify('/s', 'c', { disk });
  expect(report!.findings.filter(({ level }) => level === 'damage')).toEqual([]);
  const handle = await FastStore.open('/s', 'c', { disk });
  expect(handle.recovery).toMatchObject({ cutBytes: 0, adoptedLines: 0, badLines: 0 });
  handle.put('afterwards', {});
  await handle.close();
}

describe('repair', () => {
  it('leaves a sound collection alone', async () => {
    const disk = await store();
    const before = disk.current();
    expect(await repair('/s', 'c', { disk })).toMatchObject({ action: 'none', documents: 15 });
    expect(disk.current()).toEqual(before);
  });

  it('puts broken lines aside and brings the version before back', async () => {
    const disk = change(await store(), DATA, (bytes) => {
      bytes[bytes.indexOf('"newer"')] = 0x2c;
      bytes[bytes.indexOf('"_id":"d40"') + 1] = 0x78;
      return bytes;
    });
    const report = await repair('/s', 'c', { disk });
    expect(report).toMatchObject({
      action: 'rewritten',
      documents: 14,
      droppedLines: 2,
      lostBytes: 0,
    });
    const dropped = Buffer.from(disk.current().get(report.droppedPath!)!).toString();
    const lines = dropped
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(lines).toMatchObject([
      { code: 'JSON_ERROR', raw: '{"_id":"d12",,newer":true}' },
      { code: 'MISSING_ID', raw: '{"xid":"d40","commit":4,"i":0}' },
    ]);
    const found = await contents(disk);
    expect(found.get('d12')).toEqual({ commit: 1, i: 2 });
    expect(found.has('d11')).toBe(false);
    await sound(disk);
  });

  it('keeps what is left of data that was cut, and the cursor that is still true', async () => {
    const whole = await store();
    const cut = whole.current().get(DATA)!.length - 40;
    const disk = change(whole, DATA, (bytes) => bytes.subarray(0, cut));
    await expect(FastStore.open('/s', 'c', { disk })).rejects.toMatchObject({
      code: 'CORRUPTED_DATA',
    });
    const report = await repair('/s', 'c', { disk });
    expect(report).toMatchObject({
      action: 'rewritten',
      documents: 13,
      droppedLines: 1,
      lostBytes: 40,
    });
    const handle = await FastStore.open('/s', 'c', { disk });
    expect(await handle.cursor()).toBe(3);
    await handle.close();
    await sound(disk);
  });

  it('knows a collection of which the documents are gone', async () => {
    for (const beside of [[LOG, INDEX], [LOG], [INDEX]]) {
      const image = new Map((await store()).current());
      for (const path of [DATA, LOG, INDEX]) if (!beside.includes(path)) image.delete(path);
      const disk = new FaultDisk(image);
      const [found] = await verify('/s', 'c', { disk });
      expect(found!.findings.map(({ code }) => code)).toContain('CORRUPTED_DATA');
      for (const mode of ['read', 'write'] as const) {
        const opened = FastStore.open('/s', 'c', { disk, mode });
        await expect(opened).rejects.toMatchObject({
          code: 'CORRUPTED_DATA',
          place: { path: DATA },
        });
      }
      expect(disk.current().has(DATA)).toBe(false);
      const report = await repair('/s', 'c', { disk });
      expect(report.documents).toBe(0);
      expect(report.lostBytes > 0).toBe(beside.includes(LOG));
      await sound(disk);
      expect([...(await contents(disk)).keys()]).toEqual(['afterwards']);
    }
    const image = new Map((await store()).current());
    image.delete(DATA);
    for (const path of [LOG, INDEX]) image.set(path, new Uint8Array(0));
    // As a crash leaves it: nothing was in it yet.
    await (await FastStore.open('/s', 'c', { disk: new FaultDisk(image) })).close();
  });

  it('reads on behind a damaged line of the log, deletes and all', async () => {
    const disk = change(await store(), LOG, (bytes) => {
      bytes[bytes.indexOf('"seq":1,') + 6] = 0x39;
      // Without the checkpoint's way around the damage opening refuses.
      return bytes.subarray(0, bytes.indexOf('"op":"checkpoint"') - 26);
    });
    await expect(FastStore.open('/s', 'c', { disk })).rejects.toMatchObject({
      code: 'CORRUPTED_DATA',
    });
    expect(await repair('/s', 'c', { disk })).toMatchObject({ action: 'rewritten', documents: 15 });
    expect((await contents(disk)).has('d11')).toBe(false);
    await sound(disk);
  });

  it('keeps whole lines behind the last commit where the log is damaged', async () => {
    const live = new FaultDisk();
    const handle = await FastStore.open('/s', 'c', { disk: live });
    for (const id of ['a', 'b']) {
      handle.put(id, {});
      await handle.flush();
    }
    handle.put('late', {});
    // A scan hands what is pending to the system.
    await handle.scanAll();
    const disk = change(live, LOG, (bytes) => {
      bytes[bytes.indexOf('"seq":1,') + 6] = 0x39;
      return bytes;
    });
    expect(await repair('/s', 'c', { disk })).toMatchObject({ action: 'rewritten', documents: 3 });
    expect([...(await contents(disk)).keys()]).toEqual(['a', 'b', 'late']);
    await sound(disk);
  });

  it('makes a damaged index anew without touching the data', async () => {
    const disk = change(await store(), INDEX, (bytes) => {
      bytes[bytes.indexOf('d20') + 3]! += 1;
      return bytes;
    });
    const data = disk.current().get(DATA);
    expect(await repair('/s', 'c', { disk })).toMatchObject({ action: 'index', documents: 15 });
    expect(disk.current().get(DATA)).toEqual(data);
    await (await FastStore.open('/s', 'c', { disk })).close();
    expect((await contents(disk)).size).toBe(15);
    await sound(disk);
  });

  it.each(['where our log ends', 'grown past what our log knows'])(
    'keeps the deletes of another program, in data %s',
    async (how) => {
      const disk = await store();
      const theirs = how === 'where our log ends' ? [] : ['x1', 'x2'];
      const data = await disk.open(DATA, 'write');
      const text = theirs.map((id) => `{"_id":"${id}"}\n`).join('');
      await data.write(Buffer.from(text), await data.size());
      // Their index: all but one document, theirs included.
      const entries: IndexEntry[] = [];
      const bytes = Buffer.from(disk.current().get(DATA)!);
      for (let offset = 0; offset < bytes.length; ) {
        const length = bytes.indexOf(10, offset) + 1 - offset;
        const id = /"_id":"(\w+)"/.exec(bytes.toString('utf8', offset, offset + length))![1]!;
        if (id !== 'd22' && id !== 'd11') entries.push({ id, offset, length });
        offset += length;
      }
      await writeEntries(disk, INDEX, entries);
      const [before] = await verify('/s', 'c', { disk });
      expect(before).toMatchObject({ documents: 14 + theirs.length });
      const damaged = change(disk, DATA, (found) => {
        found[found.indexOf('{"_id":"d31"')] = 0x78;
        return found;
      });
      await expect(FastStore.open('/s', 'c', { disk: damaged })).rejects.toMatchObject({
        code: 'CORRUPTED_DATA',
      });
      expect(await repair('/s', 'c', { disk: damaged })).toMatchObject({
        action: 'rewritten',
        droppedLines: 1,
        documents: 13 + theirs.length,
      });
      const left = await contents(damaged);
      expect(['d11', 'd22', 'd31', 'd32', ...theirs].filter((id) => left.has(id))).toEqual([
        'd32',
        ...theirs,
      ]);
      await sound(damaged);
      // Without damage opening says the same.
      expect((await contents(disk)).has('d22')).toBe(false);
    },
  );

  it('is refused while somebody writes', async () => {
    const disk = await store();
    const handle = await FastStore.open('/s', 'c', { disk });
    await expect(repair('/s', 'c', { disk })).rejects.toMatchObject({ code: 'LOCKED' });
    await handle.close();
    await expect(repair('/s', 'x', { disk })).rejects.toMatchObject({
      code: 'COLLECTION_NOT_FOUND',
    });
  });
});

describe('reindex', () => {
  it('makes index.bin anew and forgets no delete', async () => {
    const disk = await store();
    const before = await contents(disk);
    await disk.remove(INDEX);
    expect(await reindex('/s', 'c', { disk })).toMatchObject({ documents: 15 });
    expect(disk.current().has(INDEX)).toBe(true);
    expect(await contents(disk)).toEqual(before);
    await sound(disk);
  });
});
