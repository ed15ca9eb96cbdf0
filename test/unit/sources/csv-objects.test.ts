import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { type CsvSourceOptions, csvSource } from '../../../src/sources/csv-source.ts';
import { temporaryFolder } from '../../support/stages.ts';

/** Columns of every type, names that objects treat specially, and values that are no plain ones. */
const MIXED = `id,__proto__,7,count,ratio,ok,note
1,p,q,12,1.5,true,plain
-0,é,"a ""b"" c",-2147483648,1e3,FALSE,${'long enough to be cut from a text. '.repeat(3)}
2147483648,,"",9007199254740993,0.1,,${'é'.repeat(40)}
3,"x",NA,2147483647,123456789.123456789,true,${'a row that is longer than a text to cut from '.repeat(120)}
4,y,z,x,y,z,"two
lines"
`;
const MIXED_TYPES = { count: 'integer', ratio: 'number', ok: 'boolean', note: 'string' } as const;

const BYTES = new TextEncoder().encode(MIXED);

async function read(options: CsvSourceOptions = {}) {
  const found: object[] = [];
  for await (const document of csvSource([BYTES], options)) found.push(document);
  return found;
}

describe('csvSource, to objects', () => {
  it.each([{}, { empty: 'omit' }, { nulls: ['NA'], empty: 'string' }] as CsvSourceOptions[])(
    'makes the objects that JSON.parse makes of its bytes (%j)',
    async (options) => {
      const how = { types: MIXED_TYPES, ...options };
      const documents = (await read(how)).map((document) => JSON.stringify(document));
      let lines = '';
      for await (const batch of csvSource([BYTES], how).batches()) {
        lines += new TextDecoder().decode(batch.bytes());
      }
      const parsed = lines.trimEnd().split('\n');
      expect(documents).toEqual(parsed.map((line) => JSON.stringify(JSON.parse(line))));
      expect(documents).toHaveLength(5);
      expect(lines).toContain('9007199254740993');
    },
  );

  it('makes the same objects where code must not be generated', async () => {
    const file = join(temporaryFolder(), 'a.csv');
    writeFileSync(file, MIXED);
    const script = `
      const { csvSource } = await import(process.argv[1]);
      for await (const row of csvSource(process.argv[2])) console.log(JSON.stringify(row));`;
    const flags = ['--disallow-code-generation-from-strings', '--input-type=module', '-e', script];
    const entry = new URL('../../../dist/index.js', import.meta.url).href;
    const { stdout } = await promisify(execFile)(process.execPath, [...flags, entry, file]);
    const documents = (await read()).map((document) => JSON.stringify(document));
    expect(stdout.trimEnd().split('\n')).toEqual(documents);
  });
});
