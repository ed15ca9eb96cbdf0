import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { sniffCsv } from '../../../src/sources/csv-source.ts';
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
