/** CSV files that grow while they are read: whole rows are given, a cut one is left for the next run. */
import { appendFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { readChunks } from '../../../src/formats/chunk-reader.ts';
import { decodeRows } from '../../../src/formats/csv.ts';
import { createCsvSource } from '../../../src/sources/csv-source.ts';
import { temporaryFolder } from '../../support/stages.ts';

const CSV = 'a,b\n1,"x"\n2,"y\nz"\n';
const ROWS = [
  { a: 1, b: 'x' },
  { a: 2, b: 'y\nz' },
];

/** Documents of a file that holds `begun` when it is opened, and `more` behind it before it is read. */
async function readGrowing(begun: string, more: string, documents: boolean) {
  const path = join(temporaryFolder(), 'a.csv');
  writeFileSync(path, begun);
  const found: unknown[] = [];
  let cursor: unknown;
  const read = async (onSniff?: () => void) => {
    const source = createCsvSource(path, onSniff ? { onSniff } : {});
    const { signal } = new AbortController();
    for await (const batch of source.batches(signal, { documents }, cursor)) {
      found.push(...batch.documents());
      cursor = batch.cursor;
    }
    return found.splice(0);
  };
  // The columns are told when the beginning has been read, which is all of a small file.
  const first = await read(() => appendFileSync(path, more));
  return { first, rest: await read() };
}

it.each([true, false])(
  'reads the whole rows, and later the rest (documents: %s)',
  async (documents) => {
    const read = (at: number) => readGrowing(CSV.slice(0, at), CSV.slice(at), documents);
    expect(await read(CSV.length - 1)).toEqual({ first: ROWS.slice(0, 1), rest: ROWS.slice(1) });
    expect(await read(CSV.indexOf('z'))).toEqual({ first: ROWS.slice(0, 1), rest: ROWS.slice(1) });
    expect(await read(CSV.indexOf('2'))).toEqual({ first: ROWS.slice(0, 1), rest: ROWS.slice(1) });
    expect(await readGrowing(CSV, '3,w\n', documents)).toEqual({
      first: ROWS,
      rest: [{ a: 3, b: 'w' }],
    });
  },
);

it.each(['a', 'a,b'])('leaves the header %s, which is being written', async (begun) => {
  const { first, rest } = await readGrowing(begun, CSV.slice(begun.length), false);
  expect({ first, rest }).toEqual({ first: [], rest: ROWS });
});

it('does not take the types of columns from a cut row', async () => {
  const chunks = readChunks([Buffer.from('a,b\n1,true\n2,fal')]);
  const reader = Object.assign(chunks, { endsMidLine: true });
  const found: unknown[] = [];
  for await (const batch of decodeRows(reader)) found.push(...batch.documents());
  expect(found).toEqual([{ a: 1, b: true }]);
});
