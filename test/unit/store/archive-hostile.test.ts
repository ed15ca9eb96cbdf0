/**
 * Archives made to do harm, and damaged ones: refused by unpack and by opening, naming the entry, and
 * nothing of them is left on the disk, inside the folder or out of it.
 */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isEtlError } from '../../../src/core/errors.ts';
import { FastStore, pack, type UnpackOptions, unpack, ZdsRoot } from '../../../src/store/index.ts';
import { runs } from '../../support/long.ts';
import { type ZipPart, zipOf } from '../../support/zip.ts';

let folder: string;
const at = (...names: string[]) => join(folder, ...names);
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'zds-hostile-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const META = 'collections/c/meta';
/** A store that would be fine without the parts behind it. */
const store: ZipPart[] = [
  { name: 'metadata/' },
  { name: `${META}/data.jsonl`, data: '{"_id":"a"}\n', method: 8 },
];
const bomb = Buffer.alloc(32 << 20);
const bad: [
  what: string,
  parts: ZipPart[],
  code: string,
  message: RegExp,
  options?: UnpackOptions,
][] = [
  ['an absolute path', [{ name: '/etc/x' }], 'UNSAFE_ARCHIVE', /"\/etc\/x" has an absolute/],
  ['a drive', [{ name: 'C:x' }], 'UNSAFE_ARCHIVE', /"C:x" names a drive/],
  ['a way out', [{ name: 'a/../../x' }], 'UNSAFE_ARCHIVE', /"a\/..\/..\/x" leads out/],
  ['only a way out', [{ name: '../' }], 'UNSAFE_ARCHIVE', /"..\/" leads out/],
  ['a backslash', [{ name: '..\\x' }], 'UNSAFE_ARCHIVE', /backslash/],
  ['a NUL', [{ name: 'x\0.json' }], 'UNSAFE_ARCHIVE', /NUL/],
  ['an empty part', [{ name: 'a//x' }], 'UNSAFE_ARCHIVE', /empty part/],
  ['a dot', [{ name: './x' }], 'UNSAFE_ARCHIVE', /empty part/],
  ['no name', [{ name: '' }], 'UNSAFE_ARCHIVE', /"" has an empty part/],
  ['a link', [{ name: 'l', data: '/etc', mode: 0o120777 }], 'UNSAFE_ARCHIVE', /"l" is a link/],
  ['a device', [{ name: 'd', mode: 0o020666 }], 'UNSAFE_ARCHIVE', /"d" is no plain/],
  ['a folder with contents', [{ name: 'f/', data: 'x' }], 'UNSAFE_ARCHIVE', /"f\/"/],
  ['a duplicate', [{ name: 'x' }, { name: 'x' }], 'UNSAFE_ARCHIVE', /"x" comes twice/],
  ['a duplicate folder', [{ name: 'x/' }, { name: 'x/' }], 'UNSAFE_ARCHIVE', /"x" comes twice/],
  ['names differing in case', [{ name: 'x' }, { name: 'X' }], 'UNSAFE_ARCHIVE', /"X" is one name/],
  ['folders differing in case', [{ name: 'b/x' }, { name: 'B/y' }], 'UNSAFE_ARCHIVE', /"B"/],
  [
    'names differing in composition',
    [{ name: '\u00e9' }, { name: 'e\u0301' }],
    'UNSAFE_ARCHIVE',
    /is one name/,
  ],
  [
    'a second data file in other case',
    [{ name: `${META}/DATA.jsonl`, data: '{"_id":"b"}\n' }],
    'UNSAFE_ARCHIVE',
    /DATA\.jsonl" is one name/,
  ],
  ['a file over a folder', [{ name: 'x/y' }, { name: 'x' }], 'UNSAFE_ARCHIVE', /"x" is both/],
  ['a folder over a file', [{ name: 'x' }, { name: 'x/y' }], 'UNSAFE_ARCHIVE', /"x" is both/],
  ['another name inside', [{ name: 'x', localName: 'y' }], 'UNSAFE_ARCHIVE', /"x" has another/],
  [
    'shared bytes',
    [{ name: 'y', sameAs: 1, data: '{"_id":"a"}\n', method: 8, localName: `x` }],
    'UNSAFE_ARCHIVE',
    /"y"/,
  ],
  [
    'an entry inside another',
    [
      { name: 'x', data: zipOf([{ name: 'y', data: 'of both' }]).bytes },
      { name: 'y', data: 'of both', within: 2 },
    ],
    'UNSAFE_ARCHIVE',
    /"y" shares bytes/,
  ],
  ['a bomb that says so', [{ name: 'z', data: bomb, method: 8 }], 'UNSAFE_ARCHIVE', /maxRatio/],
  [
    'a bomb that lies',
    [{ name: 'z', data: bomb, method: 8, size: 1000 }],
    'UNSAFE_ARCHIVE',
    /"z" holds more than the 1000/,
  ],
  [
    'a bomb that lies less',
    [{ name: 'z', data: bomb, method: 8, size: 2 << 20 }],
    'UNSAFE_ARCHIVE',
    /"z" holds more than the 2097152/,
  ],
  [
    'a small bomb that lies',
    [{ name: 'z', data: bomb.subarray(0, 50_000), method: 8, size: 10 }],
    'UNSAFE_ARCHIVE',
    /"z" holds more than the 10/,
  ],
  [
    'too much',
    [{ name: 'z', data: 'x'.repeat(99) }],
    'UNSAFE_ARCHIVE',
    /maxBytes/,
    { maxBytes: 99 },
  ],
  ['too many', [{ name: 'z' }], 'UNSAFE_ARCHIVE', /maxEntries/, { maxEntries: 2 }],
  [
    'encryption',
    [{ name: 'z', data: 'x'.repeat(13), size: 1, flags: 0x801 }],
    'UNSUPPORTED',
    /"z" is encrypted/,
  ],
  ['another method', [{ name: 'z', data: 'x', method: 12 }], 'UNSUPPORTED', /"z" .* method 12/],
  ['a wrong sum', [{ name: 'z', data: 'xyz', crc: 7 }], 'CORRUPTED_INPUT', /"z" has a wrong sum/],
  [
    'a wrong sum, deflated',
    [{ name: 'z', data: 'xyz', method: 8, crc: 7 }],
    'CORRUPTED_INPUT',
    /"z"/,
  ],
  [
    'too little',
    [{ name: 'z', data: 'xyz', method: 8, size: 9 }],
    'CORRUPTED_INPUT',
    /"z" holds 3/,
  ],
  ['no Deflate', [{ name: 'z', data: 'xyz', method: 8, packedSize: 2 }], 'CORRUPTED_INPUT', /"z"/],
  [
    'a size past the end',
    [{ name: 'z', data: bomb.subarray(0, 9), size: 9999, packedSize: 9999 }],
    'TRUNCATED_INPUT',
    /"z" ends behind/,
  ],
];

describe('a hostile archive', () => {
  for (const [what, parts, code, message, options] of bad) {
    it(`with ${what} is refused, and nothing of it stays`, async () => {
      writeFileSync(at('bad.zds'), zipOf([...store, ...parts]).bytes);
      await expect(unpack(at('bad.zds'), at('out', 'lake'), options)).rejects.toMatchObject({
        code,
        message: expect.stringMatching(message),
        place: { path: at('bad.zds') },
      });
      expect(readdirSync(folder).filter((name) => name !== 'bad.zds' && name !== 'out')).toEqual(
        [],
      );
      if (existsSync(at('out'))) expect(readdirSync(at('out'))).toEqual([]);
      rmSync(at('out'), { recursive: true, force: true });
    });
  }

  it('would be fine without its bad part', async () => {
    writeFileSync(at('good.zds'), zipOf(store).bytes);
    await unpack(at('good.zds'), at('good'));
    expect(readFileSync(at('good', META, 'data.jsonl'), 'utf8')).toBe('{"_id":"a"}\n');
    for (const name of ['good', 'good.zds']) rmSync(at(name), { recursive: true });
  });

  it('is not opened in place either', async () => {
    const names = bad.filter(
      ([, , code, message]) =>
        code === 'UNSAFE_ARCHIVE' && !/maxBytes|maxEntries/.test(message.source),
    );
    let refused = 0;
    for (const [what, parts] of names) {
      writeFileSync(at('bad.zds'), zipOf([...store, ...parts]).bytes);
      const root = await ZdsRoot.open(at('bad.zds'), { mode: 'read' }).catch((error) => error);
      if (root instanceof ZdsRoot) {
        // What shows only in the contents does no harm until they are read.
        expect(what).toMatch(/bomb that lies|another name inside|shared bytes|entry inside/);
        await root.close();
      } else refused++;
    }
    expect(refused).toBeGreaterThan(15);
    const data = { name: `${META}/data.jsonl`, method: 8, size: 1000 };
    for (const part of [
      { ...data, data: bomb },
      { ...data, data: '{"_id":"a"}\n', size: 12, crc: 1 },
    ]) {
      writeFileSync(at('bad.zds'), zipOf([part]).bytes);
      const opening = FastStore.open(at('bad.zds'), 'c', { mode: 'read' });
      await expect(opening).rejects.toMatchObject({ place: { path: at('bad.zds') } });
    }
    rmSync(at('bad.zds'));
  });

  it('says where the store is when it is one folder down', async () => {
    writeFileSync(at('deep.zds'), zipOf([{ name: 'lake/metadata/' }]).bytes);
    await expect(unpack(at('deep.zds'), at('out'))).rejects.toMatchObject({
      code: 'NOT_A_STORE',
      message: expect.stringMatching(/in its folder "lake"/),
    });
    rmSync(at('deep.zds'));
  });
});

describe('a damaged archive', () => {
  it('is refused or unpacked whole, wherever it is cut or changed', async () => {
    const lake = await FastStore.open(at('lake'), 'c');
    for (let i = 0; i < 30; i++) lake.put(`d${i}`, { i, text: 'some text' });
    await lake.close();
    await pack(at('lake'), at('lake.zds'));
    const whole = readFileSync(at('lake.zds'));
    const data = readFileSync(at('lake', META, 'data.jsonl'), 'utf8');
    const tryOne = async (bytes: Buffer): Promise<boolean> => {
      writeFileSync(at('hurt.zds'), bytes);
      try {
        await unpack(at('hurt.zds'), at('hurt'));
        // A change that no sum covers: a date, a mode, a name.
        const found = existsSync(at('hurt', META, 'data.jsonl'));
        if (found) expect(readFileSync(at('hurt', META, 'data.jsonl'), 'utf8')).toBe(data);
        rmSync(at('hurt'), { recursive: true });
        return true;
      } catch (error) {
        if (!isEtlError(error)) throw error;
        expect(existsSync(at('hurt'))).toBe(false);
        return false;
      }
    };
    for (let cut = 0; cut < whole.length; cut += 13) {
      expect(await tryOne(whole.subarray(0, cut)), `cut at ${cut}`).toBe(false);
    }
    await fc.assert(
      fc.asyncProperty(
        fc.nat(whole.length - 1),
        fc.integer({ min: 1, max: 255 }),
        async (place, change) => {
          const hurt = Buffer.from(whole);
          hurt[place]! ^= change;
          await tryOne(hurt);
        },
      ),
      { numRuns: runs(80) },
    );
  });
});
