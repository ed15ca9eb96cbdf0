/**
 * A process that writes files is killed in the middle: nothing stands under the final names, what stood
 * there before still does, and the next run is not hindered by what is left.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { describe, expect, it } from 'vitest';
import { arrowSink, csvSink, fromIterable, jsonlSink, parquetSink } from '../../src/index.ts';
import { built, live } from '../support/lives.ts';
import { temporaryFolder } from '../support/stages.ts';

type Make = (target: string, options: object) => Writable;
const SINKS: Record<string, Make> = { arrowSink, csvSink, jsonlSink, parquetSink };
const MANY = { partitionBy: 'k', rotate: { documents: 1000 } };

/** Where each sink writes, and how. */
const targets: [name: string, target: string, options: object][] = [
  ['jsonlSink', 'a.jsonl', {}],
  ['jsonlSink', 'a.jsonl.gz', {}],
  ['csvSink', 'a.csv', {}],
  ['arrowSink', 'a.arrow', { batchRows: 1000 }],
  ['parquetSink', 'a.parquet', { batchRows: 1000 }],
  ['jsonlSink', 'jsonl', MANY],
  ['csvSink', 'csv', MANY],
  ['arrowSink', 'arrow', MANY],
];

/** Says a word when every sink has been given so much that it must have written some. */
const child = (folder: string) => `
  import * as zds from ${JSON.stringify(built)};
  import { pipeline } from 'node:stream/promises';
  import { setImmediate as turn } from 'node:timers/promises';
  let ready = 0;
  async function* endless() {
    for (let n = 0; ; n++) {
      // So that none of them keeps the others from their turns.
      if (n % 250 === 0) await turn();
      if (n === 4000 && ++ready === ${targets.length}) process.stdout.write('ready');
      yield { n, k: n % 3, pad: 'x'.repeat(500) };
    }
  }
  for (const [name, target, options] of ${JSON.stringify(targets)}) {
    const path = ${JSON.stringify(folder)} + '/' + target;
    void pipeline(zds.fromIterable(endless()), zds[name](path, options));
  }
`;

/** All below a folder that does not begin with a dot, nor lies in what does. */
const visible = (folder: string): string[] =>
  (readdirSync(folder, { recursive: true }) as string[]).filter((path) => !/(^|\/)\./.test(path));

describe.skipIf(!existsSync(built))('a process that writes files', () => {
  it('leaves none under its name when it is killed', async () => {
    const folder = temporaryFolder();
    const before = ['arrow', 'csv', 'jsonl'];
    for (const name of before) mkdirSync(join(folder, name));
    writeFileSync(join(folder, 'a.csv'), 'as it was');
    await live(child(folder), (process) => process.kill('SIGKILL'));
    expect(visible(folder).sort()).toEqual(['a.csv', ...before]);
    expect(readFileSync(join(folder, 'a.csv'), 'utf8')).toBe('as it was');
    expect(readdirSync(folder).length).toBeGreaterThanOrEqual(before.length + 1 + 5);
    for (const [name, target, options] of targets) {
      const documents = [{ n: 1, k: 2 }];
      await pipeline(fromIterable(documents), SINKS[name]!(join(folder, target), options));
    }
    expect(readFileSync(join(folder, 'a.csv'), 'utf8')).toBe('n,k\n1,2\n');
    expect(
      visible(folder)
        .filter((path) => path.includes('part-'))
        .sort(),
    ).toEqual(['arrow/k=2/part-0000.arrow', 'csv/k=2/part-0000.csv', 'jsonl/k=2/part-0000.jsonl']);
  });
});
