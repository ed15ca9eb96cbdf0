import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { csvSource, sniffCsv } from '../../../src/sources/csv-source.ts';
import { temporaryFolder } from '../../support/stages.ts';

function fileWith(text: string, name = 'a.csv'): string {
  const path = join(temporaryFolder(), name);
  writeFileSync(path, text);
  return path;
}

describe('sniffCsv', () => {
  it('says what it chose and why', async () => {
    const path = fileWith("id;name;x\n1;'a;b';2.5\n2;'c';\n", 's.csv');
    expect(await sniffCsv(path)).toMatchObject({
      delimiter: ';',
      quote: "'",
      header: true,
      columns: ['id', 'name', 'x'],
      types: { id: 'integer', name: 'string', x: 'number' },
      sampledRows: 2,
      dataOffset: 10,
      dataLine: 1,
      reasons: [
        expect.stringContaining('delimiter ";"'),
        expect.stringContaining('quote "\'"'),
        expect.stringContaining('header: '),
        'id: integer, as all 2 values seen',
        'name: string, for "a;b"',
        'x: number, as all 1 values seen',
      ],
    });
  });

  it('sees that there is no header, and escapes with backslashes', async () => {
    expect(await sniffCsv([Buffer.from('1,2\n3,4\n')])).toMatchObject({ header: false });
    expect(await sniffCsv([Buffer.from('a,b\na,c\n')])).toMatchObject({ header: false });
    const slashed = 'a,b\n"x \\", y",1\n"\\"z\\", w",2\n';
    expect(await sniffCsv([Buffer.from(slashed)])).toMatchObject({ escape: '\\', quote: '"' });
    expect(await sniffCsv([Buffer.alloc(0)])).toMatchObject({ columns: [] });
  });

  it.each([
    ['Report of today\n\na;b\n1;2\n3;4\n', {}, 2],
    ['junk\n"Report"\nof today\na;b\n1;2\n3;4\n', { skipLines: 1 }, 3],
    ['# by, whom\nReport\n# when\na;b;c\n1;2;3\n3;4;5\n', { comment: '#' }, 3],
  ])('sees that %j has lines in front of its table', async (text, options, skipLines) => {
    const input = [Buffer.from(text)];
    const { reasons } = await sniffCsv(input, options);
    const hint = `the first ${skipLines} lines have other numbers of fields`;
    expect(reasons).toContainEqual(expect.stringMatching(`^${hint}.* skipLines: ${skipLines} `));
    const table = await sniffCsv(input, { ...options, skipLines });
    const width = table.columns.length;
    expect(table).toMatchObject({ header: true, delimiter: ';', dataLine: skipLines + 1 });
    expect(table.columns).toEqual(['a', 'b', 'c'].slice(0, width));
    expect(table.types).toMatchObject({ a: 'integer', b: 'integer' });
    expect(String(table.reasons)).not.toContain('skipLines');
  });

  it('passes over comments, wherever they stand', async () => {
    const text = '\ufeff# "by, whom\r\n#\r\na,b\r\n# 1,x,y\r\n1,2\r\n#end';
    const rows = await csvSource([Buffer.from(text)], { comment: '#' }).toArray();
    expect(rows).toEqual([{ a: 1, b: 2 }]);
    const found = await sniffCsv([Buffer.from(text)], { comment: '#' });
    const dataOffset = Buffer.byteLength(text.slice(0, text.indexOf('# 1')));
    expect(found).toMatchObject({ columns: ['a', 'b'], sampledRows: 1, dataOffset, dataLine: 3 });
  });

  it.each([
    ['UTF-16LE', Buffer.from('id,name\n1,ada\n', 'utf16le'), 0],
    ['UTF-16BE', Buffer.from('id,name\n1,ada\n', 'utf16le').swap16(), 0],
    ['UTF-16LE that begins like ASCII', Buffer.from('中,name\n1,ada\n', 'utf16le'), 3],
    ['Latin 1', Buffer.from('a,prénom\n1,ada\n', 'latin1'), 2],
    ['zeros', Buffer.from('a,b\0\n1,2\n'), 2],
  ])('refuses a header in %s', async (_, bytes, offset) => {
    const error = { code: 'INVALID_UTF8', place: { path: 'stream', offset } };
    await expect(sniffCsv([bytes])).rejects.toMatchObject(error);
    for (const columns of [undefined, ['x', 'y']]) {
      const options = columns ? { columns, header: true } : {};
      await expect(csvSource([bytes], options).toArray()).rejects.toMatchObject(error);
    }
  });

  it('refuses UTF-16 that has no header, and takes zeros in values', async () => {
    const wide = Buffer.from('1,2\n3,4\n', 'utf16le');
    for (const bytes of [Buffer.from(wide), wide.swap16()]) {
      const rows = csvSource([bytes], { header: false }).toArray();
      await expect(rows).rejects.toMatchObject({ code: 'INVALID_UTF8', place: { offset: 0 } });
    }
    expect(await csvSource([Buffer.from('a\nx\0y\n')]).toArray()).toEqual([{ a: 'x\0y' }]);
  });

  it('looks at the middle and the end of a file, inside of quotes too', async () => {
    const rows = Array.from({ length: 30_000 }, (_, i) => `${i},"a\n${i},b\n",5,${i}\n`);
    rows[16_000] = '16000,"a\n1,b\n",x,1\n';
    rows[29_999] = '29999,"a\n1,b\n",5,y\n';
    const path = fileWith(`a,b,c,d\n${rows.join('')}`);
    const sniff = await sniffCsv(path);
    expect(sniff.types).toEqual({ a: 'integer', b: 'string', c: 'string', d: 'string' });
    const packed = await sniffCsv(Readable.from([gzipSync(readFileSync(path))]));
    expect(packed.types).toMatchObject({ c: 'integer', d: 'integer' });
  });
});
