/**
 * What we find in Arrow files of pyarrow, held against what pyarrow itself finds in them. Runs with
 * ZDS_INTEROP=1 only.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { arrowSource } from '../../src/sources/arrow-source.ts';
import type { SourceStream } from '../../src/streams/source-stream.ts';
import { findReason, preparePython, python } from './python.ts';

const reason = findReason();
const script = fileURLToPath(new URL('./arrow-writers.py', import.meta.url));

describe.skipIf(reason)(`Arrow files of pyarrow${reason ? ` (skipped: ${reason})` : ''}`, () => {
  const folder = mkdtempSync(join(tmpdir(), 'zds-interop-'));
  afterAll(() => rmSync(folder, { recursive: true }));
  beforeAll(() => {
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

  it('are read as pyarrow reads them, every type and compression', async () => {
    const names = filesOf('.arrow').filter((name) => name.startsWith('types'));
    expect(names).toHaveLength(6);
    for (const name of names) {
      const found = await textOf(arrowSource(join(folder, name), { decimals: 'string' }));
      const expected = expectedOf(name).map((line) => JSON.parse(line));
      expect(expected.length).toBeGreaterThan(7);
      expect(
        found.map((line) => JSON.parse(line)),
        name,
      ).toEqual(expected);
    }
  });

  it('keep 64-bit integers to the last digit', async () => {
    expect(await textOf(arrowSource(join(folder, 'wide.arrow')))).toEqual(expectedOf('wide.arrow'));
  });
});

function readLines(bytes: Buffer): string[] {
  return bytes.toString().trimEnd().split('\n');
}
