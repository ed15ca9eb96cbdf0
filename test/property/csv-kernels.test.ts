import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RECORD_WORDS } from '../../src/core/batch.ts';
import {
  type CsvProgram,
  type CsvReader,
  type CsvTable,
  createCsvReader,
} from '../../src/kernels/csv.ts';
import { sharedKernel } from '../../src/kernels/index.ts';
import { runs } from '../support/long.ts';
import { csvBytes, csvProgram } from '../support/random-csv.ts';

const decoder = new TextDecoder();
const plain: CsvProgram = {
  dialect: { delimiter: 0x2c, quote: 0x22, trim: false },
  columns: [{ name: 'a', type: 'string' }],
  empty: 'null',
  nulls: [],
  misfit: 'string',
  ragged: 'error',
  maxRowBytes: 1 << 20,
};

function readable(table: CsvTable) {
  const { bytes, records, sites, ...rest } = table;
  return { text: decoder.decode(bytes), records: [...records], sites: [...sites], ...rest };
}

/** All there is to say about a source that comes in chunks, whatever their cuts. */
function readAll(reader: CsvReader, bytes: Uint8Array, chunk: number) {
  const found = { text: '', sites: [] as number[], bad: [] as object[], lines: 0, misfits: 0 };
  let at = 0;
  let end = 0;
  while (end < bytes.length) {
    end = Math.min(bytes.length, end + chunk);
    const table = reader.rows(bytes.slice(at, end), end === bytes.length);
    found.text += decoder.decode(table.bytes);
    for (let i = 0; i < table.sites.length; i += 3) {
      found.sites.push(table.sites[i]! + at, table.sites[i + 1]! + found.lines);
    }
    for (const { before: _, ...bad } of table.bad) {
      const { start, end: stop, line, offset } = bad;
      found.bad.push({
        ...bad,
        start: start + at,
        end: stop + at,
        offset: offset + at,
        line: line + found.lines,
      });
    }
    for (const misfit of table.misfits) found.misfits += misfit.count;
    found.lines += table.lineCount;
    at += table.consumed;
  }
  return found;
}

describe('the CSV kernels', () => {
  it('say the same of any bytes, whole or cut', () => {
    fc.assert(
      fc.property(csvBytes, csvProgram, fc.boolean(), (bytes, program, last) => {
        const fast = createCsvReader(program, 'wasm');
        const twin = createCsvReader(program, 'typescript');
        expect(fast.name).toBe('wasm');
        expect(readable(fast.rows(bytes, last))).toEqual(readable(twin.rows(bytes, last)));
      }),
      { numRuns: runs(4000) },
    );
  });

  it('make the objects that their lines say', () => {
    fc.assert(
      fc.property(csvBytes, csvProgram, fc.boolean(), (bytes, program, last) => {
        for (const implementation of ['wasm', 'typescript'] as const) {
          const reader = createCsvReader(program, implementation);
          const {
            bytes: lines,
            records: _,
            dense: __,
            key: ___,
            ...rows
          } = reader.rows(bytes, last);
          const texts = decoder.decode(lines).split('\n').slice(0, -1);
          const documents = texts.map((text) => JSON.parse(text) as object);
          const objects = reader.objects(bytes, last);
          expect(objects).toEqual({ ...rows, documents });
          expect(JSON.stringify(objects.documents)).toBe(JSON.stringify(documents));
        }
      }),
      { numRuns: runs(3000) },
    );
  });

  it('say the same however the source is cut', () => {
    fc.assert(
      fc.property(csvBytes, csvProgram, (bytes, program) => {
        const reader = createCsvReader(program, 'wasm');
        const whole = readAll(reader, bytes, Number.MAX_SAFE_INTEGER);
        for (const chunk of [1, 2, 3, 7, 17]) {
          expect(readAll(reader, bytes, chunk)).toEqual(whole);
        }
      }),
      { numRuns: runs(500) },
    );
  });

  it('write lines that need no second reading', () => {
    fc.assert(
      fc.property(csvBytes, csvProgram, (bytes, program) => {
        const table = createCsvReader(program).rows(bytes, true);
        const key = program.columns.some(({ name }) => name === program.key) ? program.key : 'none';
        const read = sharedKernel().lines(table.bytes, { key: [key!] });
        expect(read.bad).toEqual([]);
        expect([...table.records]).toEqual([...read.records]);
        expect(read.dense).toBe(true);
      }),
      { numRuns: runs(1000) },
    );
  });

  it('make room for what is much longer in JSON, and for many rows', () => {
    const control = '\u0001'.repeat(700_000);
    const many = 'x\n'.repeat(70_000);
    for (const text of [control, `"${control}"`, `${control}\n${many}"${control}"\n`]) {
      const bytes = new TextEncoder().encode(text);
      const table = createCsvReader(plain).rows(bytes, true);
      const twin = createCsvReader(plain, 'typescript').rows(bytes, true);
      expect(table.count).toBe(twin.count);
      expect(Buffer.compare(table.bytes, twin.bytes)).toBe(0);
      expect(table.records.length).toBe(table.count * RECORD_WORDS);
      expect(Buffer.compare(words(table.records), words(twin.records))).toBe(0);
      expect(Buffer.compare(words(table.sites), words(twin.sites))).toBe(0);
    }
  });

  it('report more bad rows than fit one piece', () => {
    const table = createCsvReader(plain).rows(
      new TextEncoder().encode('a,b\nc\n'.repeat(3000)),
      true,
    );
    expect(table.bad).toHaveLength(3000);
    expect(table.bad.at(-1)).toMatchObject({ before: 2999, line: 5998 });
  });
});

function words(array: Uint32Array): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}
