/**
 * What other people's readers find in our Arrow and Parquet files. Runs with ZDS_INTEROP=1 only, as it installs
 * Python packages.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable, type Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { IpcFormat } from '../../src/arrow/ipc.ts';
import type { RecordBatchOptions } from '../../src/arrow/table.ts';
import type { Document } from '../../src/core/batch.ts';
import { arrowSink } from '../../src/sinks/arrow-sink.ts';
import { parquetSink } from '../../src/sinks/parquet-sink.ts';
import { findReason, preparePython, python } from './python.ts';

const reason = findReason();
const script = fileURLToPath(new URL('./arrow-readers.py', import.meta.url));

const dataset = (name: string): Document[] => {
  const url = new URL(`../../node_modules/vega-datasets/data/${name}`, import.meta.url);
  return JSON.parse(readFileSync(url, 'utf8'));
};

/** As the script does it: objects without nulls. */
function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (value === null || typeof value !== 'object') return value;
  const kept = Object.entries(value).filter(([, inner]) => inner !== null);
  return Object.fromEntries(kept.map(([name, inner]) => [name, withoutNulls(inner)]));
}

const nested: Document[] = [
  {
    id: 'é',
    n: 9007199254740991,
    x: -0.5,
    ok: true,
    tags: ['a', null, ''],
    o: { p: [{ q: 1 }] },
  },
  { id: null, n: -1, ok: false, tags: [], o: { p: [] }, late: 'x' },
  { tags: null, lists: [[1], [], [2, 3]] },
];

describe.skipIf(reason)(
  `Arrow and Parquet files in other readers${reason ? ` (skipped: ${reason})` : ''}`,
  () => {
    let folder: string;
    afterAll(() => rmSync(folder, { recursive: true }));
    beforeAll(() => {
      folder = mkdtempSync(join(tmpdir(), 'zds-interop-'));
      preparePython();
    }, 300_000);

    async function readAll(
      documents: readonly Document[],
      format: IpcFormat | 'parquet',
      options: RecordBatchOptions = {},
    ): Promise<Map<string, unknown[]>> {
      const path = join(folder, `data-${Math.random()}`);
      const sink =
        format === 'parquet' ? parquetSink(path, options) : arrowSink(path, { format, ...options });
      await pipeline(Readable.from(documents), sink as Writable);
      const text = execFileSync(python, [script, path, format], { maxBuffer: 2 ** 29 });
      const lines = text.toString().trim().split('\n');
      return new Map(
        lines.map((line) => JSON.parse(line)).map(({ engine, rows }) => [engine, rows]),
      );
    }

    describe.each(['file', 'stream', 'parquet'] as const)('%s', (format) => {
      it.each([
        ['movies', dataset('movies.json'), ['Title']],
        ['flights', dataset('flights-200k.json').slice(0, 70_000), []],
        ['nested', nested, []],
      ])('all readers find %s', async (_name, documents, mixed) => {
        const expected = documents.map((each) => withoutNulls(asJsonText(each, mixed)));
        const found = await readAll(documents, format);
        expect([...found.keys()]).toEqual(['pyarrow', 'duckdb', 'polars']);
        for (const [engine, rows] of found)
          expect(rows.map(dropEmpty), engine).toEqual(expected.map(dropEmpty));
      });

      it('all readers find timestamps and JSON text', async () => {
        const documents = [{ at: '2020-01-01T00:00:00Z', j: 'text' }, { at: 5, j: { a: [1] } }, {}];
        const schema = { at: 'timestamp[ms]', j: 'json' } as const;
        const found = await readAll(documents, format, { schema });
        for (const [engine, rows] of found) {
          expect(rows, engine).toEqual([
            { at: 1577836800000, j: '"text"' },
            { at: 5, j: '{"a":[1]}' },
            {},
          ]);
        }
      });

      it('all readers find no rows in an empty one', async () => {
        const found = await readAll([], format, { schema: { a: 'utf8' } });
        for (const [engine, rows] of found) expect(rows, engine).toEqual([]);
      });
    });
  },
);

/** With the fields of mixed kinds as the JSON text that their columns hold. */
function asJsonText(document: Document, mixed: readonly string[]): Document {
  const texts = mixed.filter((name) => document[name] !== null && document[name] !== undefined);
  return {
    ...document,
    ...Object.fromEntries(texts.map((name) => [name, JSON.stringify(document[name])])),
  };
}

/** Polars has no null objects, only objects of nulls: an empty one is as good as none. */
function dropEmpty(value: unknown): unknown {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return value;
  const kept = Object.entries(value)
    .map(([name, inner]) => [name, dropEmpty(inner)] as const)
    .filter(
      ([, inner]) =>
        typeof inner !== 'object' ||
        inner === null ||
        Object.keys(inner).length > 0 ||
        Array.isArray(inner),
    );
  return Object.fromEntries(kept);
}
