import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Document } from '../../../src/core/batch.ts';
import { gt } from '../../../src/core/predicate.ts';
import { run } from '../../../src/pipeline/index.ts';
import { arrowSink } from '../../../src/sinks/arrow-sink.ts';
import { jsonlSink } from '../../../src/sinks/jsonl-sink.ts';
import { zdsSink } from '../../../src/sinks/zds-sink.ts';
import { jsonlSource } from '../../../src/sources/jsonl-source.ts';
import { zdsSource } from '../../../src/sources/zds-source.ts';
import { map } from '../../../src/stages.ts';
import { FastStore, ZdsRoot } from '../../../src/store/index.ts';
import { FaultDisk } from '../../support/fault-disk.ts';

let folder: string;
let root: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'zds-stages-'));
  root = join(folder, 'lake');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const write = (name: string, count: number, line = (i: number) => `{"_id":"d${i}","n":${i}}`) => {
  const path = join(folder, name);
  writeFileSync(path, Array.from({ length: count }, (_, i) => `${line(i)}\n`).join(''));
  return path;
};

describe('zdsSink and zdsSource', () => {
  it('carry a file into a store and out again without changing a byte', async () => {
    const input = write(
      'in.jsonl',
      5000,
      (i) => `{"_id":"d${i}","n":${i}.0,"big":1${i}2345678901234567890}`,
    );
    const sink = zdsSink(root, 'c', { commitBytes: 50_000, loadId: 'run' });
    await pipeline(jsonlSource(input, { batchBytes: 10_000 }), sink);
    const summary = await sink.summary;
    expect(summary).toMatchObject({ collection: 'c', documents: 5000, total: 5000, replaced: 0 });
    expect(summary.bytes).toBe(readFileSync(input).length);
    expect(summary.commits).toBeGreaterThan(3);
    const output = join(folder, 'out.jsonl');
    await pipeline(zdsSource(root, 'c'), jsonlSink(output));
    expect(readFileSync(output).equals(readFileSync(input))).toBe(true);
    const store = await FastStore.open(root, 'c', { mode: 'read' });
    expect(await store.cursor('run')).toMatchObject({ offset: summary.bytes });
    let documents = 0;
    for await (const commit of store.commits()) documents += commit.counts?.documents ?? 0;
    expect(documents).toBe(5000);
    await store.close();
  });

  it('serve several runs from one object, at once and one after the other', async () => {
    await pipeline(jsonlSource(write('in.jsonl', 3000)), zdsSink(root, 'c'));
    const source = zdsSource(root, 'c', { pieceBytes: 500 });
    const copy = (name: string, ...transforms: ReturnType<typeof map>[]) =>
      run({ name, source, transforms, sink: jsonlSink(join(folder, `${name}.jsonl`)) });
    const slow = map(async (document: object) => {
      if (Number((document as Document).n) % 100 === 0)
        await new Promise((resolve) => setTimeout(resolve, 1));
      return document;
    });
    const runs = [copy('first'), copy('second', slow), copy('third')];
    for (const { written } of await Promise.all(runs)) expect(written).toBe(3000);
    expect(await copy('fourth')).toMatchObject({ written: 3000 });
  });

  it('pass over the bad lines that another program left, whoever reads', async () => {
    await pipeline(jsonlSource(write('in.jsonl', 3)), zdsSink(root, 'c'));
    const data = join(root, 'collections/c/meta/data.jsonl');
    appendFileSync(data, '{"_id":"bad","n":tru}\n{"_id":"d3","n":3}\n');
    for (const mode of ['read', 'write'] as const) {
      const store = await FastStore.open(root, 'c', { mode });
      expect([store.count, store.recovery.badLines]).toEqual([4, 1]);
      const arrow = arrowSink(join(folder, 'out.arrow'));
      await pipeline(zdsSource(store, 'c'), arrow);
      expect((await arrow.summary).documents).toBe(4);
      const given = arrowSink(join(folder, 'out.arrow'), { schema: { n: 'int32' } });
      await pipeline(zdsSource(store, 'c', { where: gt('n', 0) }), given);
      expect((await given.summary).documents).toBe(3);
      const found = await store.scan({ where: gt('n', 1) }).toArray();
      expect(found.map(({ _id }) => _id)).toEqual(['d2', 'd3']);
      expect((await store.readJsonlBlob()).length).toBe(readFileSync(data).length - 22);
      await store.close();
    }
  });

  it('filter and project on the way out, and take foreign documents in', async () => {
    const documents = Array.from({ length: 300 }, (_, i) => ({
      key: `k${i}`,
      n: i,
      deep: { x: i },
    }));
    await pipeline(Readable.from(documents), zdsSink(root, 'c', { idField: 'key' }));
    const found: unknown[] = [];
    for await (const doc of zdsSource(root, 'c', { where: gt('n', 297), select: ['_id', 'deep'] }))
      found.push(doc);
    expect(found).toEqual([
      { _id: 'k298', deep: { x: 298 } },
      { _id: 'k299', deep: { x: 299 } },
    ]);
  });

  it('leaves what was committed when the input is bad, and names the record', async () => {
    const input = write('in.jsonl', 1000, (i) => (i === 900 ? '{"n":1}' : `{"_id":"d${i}"}`));
    const sink = zdsSink(root, 'c', { commitDocuments: 100 });
    await expect(pipeline(jsonlSource(input, { batchBytes: 1000 }), sink)).rejects.toMatchObject({
      code: 'MISSING_ID',
      place: { path: input, line: 901 },
    });
    await expect(sink.summary).rejects.toMatchObject({ code: 'MISSING_ID' });
    const store = await FastStore.open(root, 'c');
    let n = 0;
    for await (const id of store.docIds()) expect(id).toBe(`d${n++}`);
    expect(n).toBeGreaterThanOrEqual(700);
    expect(n).toBeLessThan(900);
    await store.close();
  });

  it('work on an open root and an open store, and stop when the disk is full', async () => {
    const zds = await ZdsRoot.open(root);
    await pipeline(jsonlSource(write('a.jsonl', 50)), zdsSink(zds, 'a'));
    const store = await zds.collection('b');
    await pipeline(zdsSource(zds, 'a'), zdsSink(store, 'b'));
    expect(store.count).toBe(50);
    await pipeline(zdsSource(store, 'b', { limit: 3, offset: 2 }), zdsSink(zds, 'd'));
    expect(await zds.collections()).toEqual(['a', 'b', 'd']);
    await zds.close();
    await expect(pipeline(zdsSource(root, 'nope'), zdsSink(root, 'e'))).rejects.toMatchObject({
      code: 'COLLECTION_NOT_FOUND',
    });
    const disk = new FaultDisk();
    disk.fault = 'ENOSPC';
    const full = await ZdsRoot.open('/s', { disk });
    const sink = zdsSink(full, 'c', { commitDocuments: 10 });
    disk.dieAt = 20;
    const input = write('b.jsonl', 500);
    await expect(pipeline(jsonlSource(input, { batchBytes: 200 }), sink)).rejects.toMatchObject({
      code: 'IO_ERROR',
      cause: { code: 'ENOSPC' },
    });
  });
});
