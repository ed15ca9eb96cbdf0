/**
 * What we find in Arrow and Parquet files of pyarrow, held against what pyarrow itself finds in them. Runs with
 * ZDS_INTEROP=1 only.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { arrowSource } from '../../src/sources/arrow-source.ts';
import { parquetSource } from '../../src/sources/parquet-source.ts';
import type { SourceStream } from '../../src/streams/source-stream.ts';
import { findReason, preparePython, python } from './python.ts';

const reason = findReason();
const script = fileURLToPath(new URL('./arrow-writers.py', import.meta.url));

describe.skipIf(reason)(
  `Arrow and Parquet files of pyarrow${reason ? ` (skipped: ${reason})` : ''}`,
  () => {
    let folder: string;
    afterAll(() => rmSync(folder, { recursive: true }));
    beforeAll(() => {
      folder = mkdtempSync(join(tmpdir(), 'zds-interop-'));
      preparePython();
      execFileSync(python, [script, folder]);
    }, 300_000);

    const filesOf = (ending: string) => readdirSync(folder).filter((name) => name.endsWith(ending));
    const expectedOf = (name: string) => readLines(readFileSync(join(folder, `${name}.jsonl`)));

    async function textOf(source: SourceStream): Promise<string[]> {
      const parts: Uint8Array[] = [];
      for await (const batch of source.batches()) parts.push(batch.bytes());
      return readLines(Buffer.concat(parts));
    }

    it.each([
      ['arrow', 6, arrowSource],
      ['parquet', 12, parquetSource],
    ] as const)('are read as pyarrow reads them: %s', async (ending, count, source) => {
      const names = filesOf(`.${ending}`).filter((name) => name.startsWith('types'));
      expect(names).toHaveLength(count);
      for (const name of names) {
        const found = await textOf(source(join(folder, name), { decimals: 'string' }));
        const expected = expectedOf(name).map((line) => JSON.parse(line));
        expect(expected.length).toBeGreaterThan(7);
        expect(
          found.map((line) => JSON.parse(line)),
          name,
        ).toEqual(expected);
      }
    });

    it('keep 64-bit integers to the last digit', async () => {
      for (const [name, source] of [
        ['wide.arrow', arrowSource],
        ['wide.parquet', parquetSource],
      ] as const) {
        expect(await textOf(source(join(folder, name)))).toEqual(expectedOf(name));
      }
    });
  },
);

function readLines(bytes: Buffer): string[] {
  return bytes.toString().trimEnd().split('\n');
}
