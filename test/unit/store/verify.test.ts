/** What `verify` finds, with its place; and that it finds nothing in a store that is in order. */
import { describe, expect, it } from 'vitest';
import { FastStore, verify, verifyRoot } from '../../../src/store/index.ts';
import { FaultDisk } from '../../support/fault-disk.ts';
import { LONG } from '../../support/long.ts';

const META = '/s/collections/c/meta';
const DATA = `${META}/data.jsonl`;
const INDEX = `${META}/index.bin`;
const LOG = `${META}/commits.log`;

async function store(): Promise<FaultDisk> {
  const disk = new FaultDisk();
  for (const round of [1, 2]) {
    const handle = await FastStore.open('/s', 'c', { disk });
    for (let i = 0; i < 6; i++) handle.put(`d${i * round}`, { n: i, round });
    await handle.flush();
    handle.delete(`d${round}`);
    await handle.close();
  }
  return disk;
}

/** The disk with the bytes of one file changed. */
function damaged(disk: FaultDisk, path: string, change: (bytes: Buffer) => Uint8Array): FaultDisk {
  const image = new Map(disk.current());
  image.set(path, new Uint8Array(change(Buffer.from(image.get(path)!))));
  return new FaultDisk(image);
}

async function check(disk: FaultDisk) {
  const [report] = await verify('/s', 'c', { disk });
  expect(disk.operations).toBe(0);
  return report!;
}

const text = (bytes: Buffer) => bytes.toString('latin1');

describe('verify', () => {
  it('finds nothing where nothing is wrong, and counts', async () => {
    const disk = new FaultDisk((await store()).current());
    const report = await check(disk);
    expect(report.findings).toEqual([]);
    expect(report).toMatchObject({ collection: 'c', ok: true, documents: 7, lines: 12 });
    expect(await verify('/s', undefined, { disk })).toEqual([report]);
  });

  it('tells what is wrong with folders, and of a collection without its documents', async () => {
    const image = new Map((await store()).current());
    const put = (path: string) => image.set(path, new Uint8Array(17));
    put('/s/collections/stray');
    put('/s/collections/empty/meta/notes.txt');
    put('/s/collections/c/docs/x.txt');
    for (const name of ['commits.log', 'index.bin']) put(`/s/collections/${name}/meta/${name}`);
    const disk = new FaultDisk(image);
    const reports = await verify('/s', undefined, { disk });
    const said = reports.map(({ collection, findings }) => [
      collection,
      ...findings.map(({ level, place }) => `${level} ${place.path}`),
    ]);
    const at = '/s/collections';
    expect(said).toEqual([
      ['c', `notice ${at}/c/docs/x.txt`],
      ['commits.log', `notice ${at}/commits.log`, `damage ${at}/commits.log/meta/data.jsonl`],
      ['empty', `notice ${at}/empty`],
      [
        'index.bin',
        `notice ${at}/index.bin/meta/index.bin`,
        `notice ${at}/index.bin`,
        `damage ${at}/index.bin/meta/data.jsonl`,
      ],
    ]);
    expect(await verifyRoot('/s', { disk })).toMatchObject([
      { level: 'notice', place: { path: '/s/metadata' } },
      { level: 'notice', place: { path: `${at}/stray` } },
    ]);
    expect(await verifyRoot('/s', { disk: await store() })).toEqual([]);
    await expect(verify('/s', 'nobody', { disk })).rejects.toMatchObject({
      code: 'COLLECTION_NOT_FOUND',
    });
    expect(disk.operations).toBe(0);
  });

  it('finds nothing after a compaction and after a session that died', async () => {
    const disk = await store();
    const handle = await FastStore.open('/s', 'c', { disk });
    await handle.compact();
    expect(await check(new FaultDisk(disk.current()))).toMatchObject({ damage: 0, notices: 0 });
    handle.put('x', {});
    await handle.flush();
    handle.put('y', {});
    // A scan hands what is pending to the system.
    await handle.scanAll();
    const report = await check(new FaultDisk(disk.current()));
    expect(report).toMatchObject({ ok: true, documents: 8 });
    expect(report.findings.map(({ level, place }) => [level, place.path])).toEqual([
      ['notice', DATA],
    ]);
    await handle.close();
  });

  it('names lines that are no JSON, and documents without an id', async () => {
    const disk = damaged(await store(), DATA, (bytes) => {
      bytes[bytes.indexOf('"round":1') + 8] = 0x7b;
      const at = bytes.indexOf('{"_id":"d8"');
      bytes.write('{"_xx"', at);
      return bytes;
    });
    const report = await check(disk);
    expect(report.ok).toBe(false);
    expect(report.findings).toContainEqual(
      expect.objectContaining({
        level: 'damage',
        code: 'JSON_ERROR',
        place: { path: DATA, line: 1, offset: 0 },
      }),
    );
    expect(report.findings).toContainEqual(
      expect.objectContaining({ code: 'MISSING_ID', place: expect.objectContaining({ line: 11 }) }),
    );
  });

  it('counts lines from the first of the file on, however long that is', async () => {
    const disk = new FaultDisk();
    const handle = await FastStore.open('/s', 'c', { disk });
    for (let i = 0; i < 30; i++) handle.put(`d${i}`, { pad: 'x'.repeat(60_000) });
    await handle.close();
    const report = await check(
      damaged(disk, DATA, (bytes) => {
        bytes[bytes.indexOf('{"_id":"d27"')] = 0x78;
        return bytes;
      }),
    );
    expect(report.findings[0]).toMatchObject({ code: 'JSON_ERROR', place: { line: 28 } });
  });

  it('finds commits that end inside a line, and documents that stand under another id', async () => {
    const disk = new FaultDisk();
    const handle = await FastStore.open('/s', 'c', { disk });
    for (const id of ['a', 'b']) {
      handle.put(id, { n: 1 });
      await handle.flush();
    }
    const end = (await handle.flush())!.end / 2;
    await handle.close();
    const shifted = await check(
      damaged(disk, DATA, (bytes) =>
        Buffer.from(text(bytes).replace('"n":1', '"n":10').replace('"b","n":1}', '"b","n":}')),
      ),
    );
    expect(shifted.findings).toContainEqual({
      level: 'damage',
      code: 'CORRUPTED_DATA',
      place: { path: DATA, offset: end },
      message: 'commit 1 ends inside a line',
    });
    const renamed = await check(
      damaged(disk, DATA, (bytes) => Buffer.from(text(bytes).replace('"_id":"b"', '"_id":"a"'))),
    );
    expect(renamed.findings.at(-1)).toMatchObject({
      level: 'damage',
      message: '2 documents were committed, 1 are there',
    });
  });

  it('notices ids that cannot be written', async () => {
    const disk = await store();
    const file = await disk.open(DATA, 'write');
    await file.write(Buffer.from('{"_id":"a/b"}\n'), await file.size());
    const report = await check(new FaultDisk(disk.current()));
    expect(report).toMatchObject({ ok: true, documents: 8 });
    expect(report.findings).toMatchObject([{ code: 'INVALID_ID', level: 'notice' }]);
  });

  it('finds data that is shorter than what was committed', async () => {
    const report = await check(
      damaged(await store(), DATA, (bytes) => bytes.subarray(0, bytes.length - 10)),
    );
    expect(report.ok).toBe(false);
    expect(report.findings[0]).toMatchObject({ code: 'CORRUPTED_DATA', place: { path: DATA } });
  });

  it('finds entries of index.bin that lead elsewhere, and an index that is gone', async () => {
    const disk = await store();
    const wrong = await check(
      damaged(disk, INDEX, (bytes) => {
        bytes[bytes.lastIndexOf('d4') + 2]! += 1;
        return bytes;
      }),
    );
    expect(wrong.findings).toMatchObject([
      {
        level: 'damage',
        code: 'CORRUPTED_INDEX',
        place: { path: INDEX, offset: expect.any(Number) },
      },
    ]);
    for (const change of [
      (bytes: Buffer) => bytes.subarray(0, 5),
      (bytes: Buffer) => bytes.subarray(0, bytes.length - 3),
    ]) {
      expect(await check(damaged(disk, INDEX, change))).toMatchObject({ damage: 1 });
    }
    const image = new Map(disk.current());
    image.delete(INDEX);
    expect(await check(new FaultDisk(image))).toMatchObject({ damage: 1 });
  });

  it('finds documents that index.bin does not have', async () => {
    const report = await check(
      damaged(await store(), INDEX, (bytes) => {
        const { size } = { size: Number(bytes.readBigUInt64LE(8)) };
        bytes.writeBigUInt64LE(BigInt(size - 1), 8);
        return bytes;
      }),
    );
    expect(report.findings).toMatchObject([{ code: 'CORRUPTED_INDEX', place: { path: DATA } }]);
  });

  it('finds a damaged line of the log by its number; a torn last line is none', async () => {
    const disk = await store();
    const report = await check(
      damaged(disk, LOG, (bytes) => {
        const second = bytes.indexOf(10) + 1;
        bytes[second + 60]! ^= 1;
        return bytes;
      }),
    );
    expect(report.findings[0]).toMatchObject({ level: 'damage', place: { path: LOG, line: 2 } });
    const torn = await check(
      damaged(disk, LOG, (bytes) => Buffer.concat([bytes, Buffer.from('{"s')])),
    );
    expect(torn).toMatchObject({ damage: 0, notices: 1 });
  });

  it('finds lines of the log that are whole but not in order', async () => {
    const disk = new FaultDisk();
    const handle = await FastStore.open('/s', 'c', { disk });
    for (const id of ['a', 'b', 'c']) {
      handle.put(id, {});
      await handle.flush();
    }
    await handle.close();
    const lines = text(Buffer.from(disk.current().get(LOG)!)).split('\n');
    const [opened, first, second, ...rest] = lines;
    const withLines = (...order: (string | undefined)[]) =>
      check(damaged(disk, LOG, () => Buffer.from([...order, ...rest].join('\n'))));
    expect((await withLines(opened, first)).findings).toContainEqual({
      level: 'damage',
      code: 'CORRUPTED_DATA',
      place: { path: LOG, line: 3 },
      message: 'commit 3 follows commit 1',
    });
    expect((await withLines(opened, second, first)).findings).toContainEqual({
      level: 'damage',
      code: 'CORRUPTED_DATA',
      place: { path: LOG, line: 3 },
      message: expect.stringMatching(/^the log goes back from byte \d+ to \d+$/),
    });
  });

  it('finds what was left over and put aside', async () => {
    const disk = await store();
    for (const name of ['data.jsonl.next-9', 'index.bin.tmp', 'torn-12.jsonl', 'mine.txt']) {
      await disk.open(`${META}/${name}`, 'create');
    }
    const report = await check(new FaultDisk(disk.current()));
    expect(report).toMatchObject({ ok: true, notices: 3 });
  });

  it('notices every change of a byte that changes what is read', async () => {
    const disk = await store();
    const sound = new FaultDisk(disk.current());
    const reader = await FastStore.open('/s', 'c', { disk: sound, mode: 'read' });
    const before = JSON.stringify(await reader.scanAll());
    const size = sound.current().get(LOG)!.length;
    for (let at = 0; at < size; at += LONG ? 1 : 17) {
      const broken = damaged(disk, LOG, (bytes) => {
        bytes[at]! ^= 4;
        return bytes;
      });
      const report = await check(broken);
      expect(
        report.damage + report.notices,
        `byte ${at}: ${text(Buffer.from([at & 255]))}`,
      ).toBeGreaterThan(0);
      let seen: string;
      try {
        const handle = await FastStore.open('/s', 'c', { disk: broken, mode: 'read' });
        seen = JSON.stringify(await handle.scanAll());
      } catch (error) {
        expect(error).toMatchObject({ code: 'CORRUPTED_DATA' });
        continue;
      }
      expect(seen, `byte ${at}`).toBe(before);
    }
  });
});
