/** Whatever is written under a temporary name can be removed at any instant, without leaving the turn. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createFileWriter } from '../../../src/io/file-writer.ts';
import { nodeDisk } from '../../../src/io/index.ts';
import {
  forgetTemporary,
  registerTemporary,
  removeTemporaries,
} from '../../../src/io/temporary-registry.ts';
import { createJsonlSink } from '../../../src/sinks/jsonl-sink.ts';
import { createPartitionedSink } from '../../../src/sinks/partitioned.ts';
import { DataStore, pack, unpack, ZdsRoot } from '../../../src/store/index.ts';
import { diskWith } from '../../support/node-disk.ts';
import { batchOf } from '../../support/transforms.ts';

let folder: string;
const at = (...names: string[]) => join(folder, ...names);
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'zds-temporaries-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

async function makeStore(): Promise<string> {
  const root = await ZdsRoot.open(at('lake'));
  const store = await root.collection('c');
  store.put('a', { text: 'x'.repeat(9 << 20) });
  await root.close();
  return at('lake');
}

/** A disk on which all that is temporary is removed as soon as some of it has been made. */
function removing(seen: string[]) {
  const look = (path: string): void => {
    const name = path.split('/').find((part) => part.endsWith('.tmp'));
    if (name === undefined || seen.length > 0) return;
    removeTemporaries();
    seen.push(existsSync(at(name)) ? 'left' : 'removed');
  };
  return diskWith({
    open: async (path, mode) => {
      const file = await nodeDisk.open(path, mode);
      look(path);
      return file;
    },
  });
}

it('removes what is registered, and what was forgotten not', () => {
  for (const name of ['file', 'kept']) writeFileSync(registerTemporary(at(name)), 'x');
  mkdirSync(registerTemporary(at('folder')));
  writeFileSync(at('folder', 'in'), 'x');
  registerTemporary(at('missing'));
  forgetTemporary(at('kept'));
  removeTemporaries();
  expect(readdirSync(folder)).toEqual(['kept']);
});

describe('what is unfinished goes, and what was finished stays, of', () => {
  it('a file', async () => {
    const unfinished = await createFileWriter(at('unfinished'));
    const finished = await createFileWriter(at('finished'));
    await finished.write(Buffer.from('x'));
    await finished.finish();
    removeTemporaries();
    expect(readdirSync(folder)).toEqual(['finished']);
    await unfinished.abort();
  });

  it('a folder of files', async () => {
    const make = async (name: string) => {
      const options = { extension: '.jsonl', rotate: { documents: 1 } };
      const sink = createPartitionedSink(at(name), createJsonlSink, options);
      await sink.open(new AbortController().signal);
      await sink.write(batchOf(['{"_id":"a"}', '{"_id":"b"}']));
      return sink;
    };
    const unfinished = await make('unfinished');
    await (await make('finished')).finish();
    expect(readdirSync(at('unfinished'))).toEqual([
      '.sink.lock',
      expect.stringMatching(/^\.staging-/),
    ]);
    removeTemporaries();
    expect(readdirSync(at('unfinished'))).toEqual([]);
    expect(readdirSync(at('finished'))).toEqual(['part-0000.jsonl', 'part-0001.jsonl']);
    await unfinished.abort(new Error('ended'));
  });

  it('an archive, and one unpacked', async () => {
    const lake = await makeStore();
    const seen: string[] = [];
    await expect(pack(lake, at('x.zds'), { disk: removing(seen) })).rejects.toThrow();
    await pack(lake, at('y.zds'));
    const later: string[] = [];
    await expect(unpack(at('y.zds'), at('to'), { disk: removing(later) })).rejects.toThrow();
    await unpack(at('y.zds'), at('there'));
    removeTemporaries();
    expect([...seen, ...later]).toEqual(['removed', 'removed']);
    expect(readdirSync(folder).sort()).toEqual(['lake', 'there', 'y.zds']);
  });

  it('an archive that is read', async () => {
    await pack(await makeStore(), at('y.zds'));
    const [before, { TMPDIR }] = [readdirSync(folder), process.env];
    process.env.TMPDIR = folder;
    try {
      const root = await ZdsRoot.open(at('y.zds'), { mode: 'read' });
      await root.collection('c');
      expect(readdirSync(folder)).toHaveLength(before.length + 1);
      removeTemporaries();
      expect(readdirSync(folder)).toEqual(before);
      await root.close();
    } finally {
      if (TMPDIR === undefined) delete process.env.TMPDIR;
      else process.env.TMPDIR = TMPDIR;
    }
  });

  it('a drive that is compacted', async () => {
    const seen: string[] = [];
    const store = await DataStore.open(at('d'), { disk: removing(seen) });
    await store.write('a', Buffer.from('x'));
    await expect(store.compact()).rejects.toMatchObject({ code: 'IO_ERROR' });
    await store.close();
    expect(seen).toEqual(['removed']);
    expect(readdirSync(folder).map((name) => basename(name, '.open'))).toEqual(['d']);
  });
});

describe('a place that cannot be written is named as it was given', () => {
  it.each([
    ['a folder that is missing', 'none/x', 'IO_ERROR'],
    ['a file where a folder should be', 'file/x', 'IO_ERROR'],
    ['a folder where the file should be', 'folder', 'INVALID_PATH'],
  ])('by pack: %s', async (_, name, code) => {
    writeFileSync(at('file'), '');
    mkdirSync(at('folder'));
    const error = await pack(await makeStore(), at(name)).catch((error: unknown) => error);
    expect(error).toMatchObject({ code, place: { path: at(name) } });
    expect(String(error)).not.toContain('.tmp');
    expect(readdirSync(folder).sort()).toEqual(['file', 'folder', 'lake']);
  });

  it('by unpack: a file where a folder should be', async () => {
    await pack(await makeStore(), at('x.zds'));
    const error = await unpack(at('x.zds'), at('x.zds', 'to')).catch((error: unknown) => error);
    expect(error).toMatchObject({ code: 'IO_ERROR', place: { path: at('x.zds', 'to') } });
    expect(String(error)).not.toContain('.tmp');
    expect(readdirSync(folder).sort()).toEqual(['lake', 'x.zds']);
  });
});
