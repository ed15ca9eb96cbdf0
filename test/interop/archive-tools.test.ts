/** Archives of ours in Python's zipfile and Info-ZIP, and theirs here. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { nodeDisk } from '../../src/io/index.ts';
import { readDirectory } from '../../src/store/archive/directory.ts';
import { ZipWriter } from '../../src/store/archive/zip-writer.ts';
import { FastStore, pack, unpack, ZdsRoot } from '../../src/store/index.ts';

const has = (program: string, flag: string): boolean => {
  try {
    execFileSync(program, [flag], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
};

let folder: string;
const at = (...names: string[]) => join(folder, ...names);
const data = (root: string) => readFileSync(at(root, 'collections', 'Räume', 'meta', 'data.jsonl'));

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'zds-tools-'));
  const root = await ZdsRoot.open(at('lake'));
  const store = await root.collection('Räume');
  // More than what is compressed at one go, so that the writer goes back to fill in sizes.
  for (let i = 0; i < 6000; i++) store.put(`r${i}`, { i, text: `${i * 7919} and some more text` });
  await root.close();
  mkdirSync(at('lake', 'collections', 'empty'));
  for (const compression of ['deflate', 'store'] as const) {
    await pack(at('lake'), at(`${compression}.zds`), { compression });
  }
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function isRead(archive: string): Promise<void> {
  const reader = await FastStore.open(archive, 'Räume', { mode: 'read' });
  expect(reader.count).toBe(6000);
  expect(reader.get('r5999')).toMatchObject({ i: 5999 });
  await reader.close();
  await unpack(archive, at('back'));
  expect(data('back').equals(data('lake'))).toBe(true);
  rmSync(at('back'), { recursive: true });
}

const noPython = has('python3', '--version') ? '' : ' (no python3 here)';
describe.skipIf(noPython !== '')(`python zipfile${noPython}`, () => {
  const python = (...lines: string[]) =>
    execFileSync('python3', ['-c', ['import zipfile, sys, json', ...lines].join('\n')], {
      cwd: folder,
    }).toString();

  for (const kind of ['deflate', 'store']) {
    it(`reads ours (${kind})`, () => {
      const told = python(
        `z = zipfile.ZipFile('${kind}.zds')`,
        'assert z.testzip() is None',
        `z.extractall('python-${kind}')`,
        'print(json.dumps([[i.filename, i.date_time, i.is_dir(), oct(i.external_attr >> 16)] for i in z.infolist()]))',
      );
      const entries = JSON.parse(told) as [string, number[], boolean, string][];
      expect(entries.map(([name]) => name)).toEqual([
        '.zds/',
        'collections/',
        'collections/Räume/',
        'collections/Räume/meta/',
        'collections/Räume/meta/data.jsonl',
        'collections/Räume/meta/index.bin',
        'collections/Räume/meta/commits.log',
        'collections/empty/',
        'metadata/',
      ]);
      for (const [name, date, isFolder, mode] of entries) {
        expect(date).toEqual([1980, 1, 1, 0, 0, 0]);
        expect([isFolder, mode]).toEqual(
          name.endsWith('/') ? [true, '0o40755'] : [false, '0o100644'],
        );
      }
      expect(data(`python-${kind}`).equals(data('lake'))).toBe(true);
    });
  }

  it('writes what we read, with and without zip64', async () => {
    python(
      'import os',
      'for mode, method in (("stored", 0), ("deflated", 8)):',
      '  with zipfile.ZipFile(f"py-{mode}.zds", "w", method) as z:',
      '    for base, _, names in os.walk("lake"):',
      '      for name in names:',
      '        path = os.path.join(base, name)',
      '        z.write(path, os.path.relpath(path, "lake"))',
      'with zipfile.ZipFile("py-64.zds", "w", 8) as z:',
      '  for base, _, names in os.walk("lake"):',
      '    for name in names:',
      '      path = os.path.join(base, name)',
      '      with z.open(os.path.relpath(path, "lake"), "w", force_zip64=True) as out:',
      '        out.write(open(path, "rb").read())',
    );
    for (const name of ['py-stored', 'py-deflated', 'py-64']) await isRead(at(`${name}.zds`));
  });

  it('reads our zip64 directory of more than 65,535 entries', async () => {
    const file = await nodeDisk.open(at('many.zip'), 'create');
    const zip = new ZipWriter(file, 'store');
    for (let i = 0; i < 66_000; i++) await zip.addFolder(`collections/c${i}`);
    await zip.finish();
    expect(await readDirectory(file)).toHaveLength(66_000);
    await file.close();
    const told = python(
      'names = zipfile.ZipFile("many.zip").namelist()',
      'print(len(names), names[-1])',
    );
    expect(told).toBe('66000 collections/c65999/\n');
  });
});

const noZip = has('zip', '-v') && has('unzip', '-v') ? '' : ' (no zip and unzip here)';
describe.skipIf(noZip !== '')(`Info-ZIP${noZip}`, () => {
  it('reads ours', () => {
    for (const kind of ['deflate', 'store']) {
      const told = execFileSync('unzip', ['-t', at(`${kind}.zds`)]).toString();
      expect(told).toMatch(/No errors detected/);
    }
  });

  it('writes what we read, also when it streams', async () => {
    for (const [name, flags] of [
      ['plain', ['-qr']],
      ['stored', ['-qr0']],
      ['streamed', ['-qrfd']],
    ] as const) {
      execFileSync('zip', [...flags, at(`${name}.zds.zip`), '.'], { cwd: at('lake') });
      await isRead(at(`${name}.zds.zip`));
    }
  });
});
