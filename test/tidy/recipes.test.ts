/** The recipes run one after the other on real data, against the built package. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { tableFromIPC } from 'apache-arrow';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { listFiles, readText, root } from './project.ts';

interface Movie {
  readonly Title: unknown;
  readonly 'IMDB Rating': number | null;
}

describe.skipIf(!existsSync(join(root, 'dist/index.js')))('recipes', () => {
  const folder = mkdtempSync(join(tmpdir(), 'zds-recipes-'));
  const at = (name: string) => join(folder, name);
  const run = (name: string, ...args: string[]) =>
    execFileSync(process.execPath, [join(root, 'examples/recipes', name), ...args]).toString();
  let samples: { text: string; label: number }[];
  let good: number;
  beforeAll(() => {
    const movies = JSON.parse(readText('node_modules/vega-datasets/data/movies.json')) as Movie[];
    samples = movies
      .filter((movie) => movie['IMDB Rating'] !== null)
      .map((movie) => ({ text: String(movie.Title), label: Math.round(movie['IMDB Rating']!) }));
    good = samples.filter(({ label }) => label >= 8).length;
    writeFileSync(at('samples.jsonl'), samples.map((each) => `${JSON.stringify(each)}\n`).join(''));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('ml-ingest.mjs takes samples in, again without doubling them', () => {
    const { length } = samples;
    for (let i = 0; i < 2; i++) {
      expect(run('ml-ingest.mjs', at('samples.jsonl'), at('lake'))).toBe(
        `1000 samples read\n2000 samples read\n${length} samples taken in, ${length} in the store\n`,
      );
    }
  });

  it('parallel.mjs finds with several threads what is there', () => {
    expect(good).toBeGreaterThan(100);
    const found = run('parallel.mjs', at('lake'), '2');
    expect(found).toBe(`${good} documents found by 2 workers\n`);
  });

  it('streaming-export.mjs writes every document, from a store and from its archive', () => {
    const zds = join(root, 'dist/cli/main.js');
    execFileSync(process.execPath, [zds, 'pack', at('lake'), at('lake.zds')]);
    for (const store of ['lake', 'lake.zds']) {
      const { length } = samples;
      const out = run('streaming-export.mjs', at(store), folder);
      expect(out).toBe([length, good, length].map((n) => `${n} documents written\n`).join(''));
      const lines = readFileSync(at('train.jsonl'), 'utf8').trimEnd().split('\n');
      expect(JSON.parse(lines[7]!)).toEqual({
        _id: 'sample_00000007',
        ...samples[7],
        split: 'train',
      });
      const best = gunzipSync(readFileSync(at('best.jsonl.gz'))).toString();
      expect(best.trimEnd().split('\n')).toHaveLength(good);
      expect(tableFromIPC(readFileSync(at('train.arrow'))).numRows).toBe(length);
    }
  });

  it('embeddings.mjs keeps vectors in both forms', () => {
    const [equal, less, nearest] = run('embeddings.mjs', at('lake')).trimEnd().split('\n');
    expect([equal, less]).toEqual(['both forms equal: true', 'base64 takes less: true']);
    expect(nearest).toMatch(/^nearest to the first: sample_\d{8} \(0\.\d{3}\)$/);
  });

  it('runs.mjs is the code of the guide, and goes on where it was', () => {
    const [code] = /const handle[\s\S]*await handle;\n/.exec(readText('docs/guide/runs.md'))!;
    expect(readText('examples/recipes/runs.mjs')).toContain(code);
    const args = [at('samples.jsonl'), at('runs'), at('dead.jsonl')];
    const { length } = samples;
    const counts = { outcome: 'done', read: length, written: length, rejected: 0, resumed: false };
    expect(JSON.parse(run('runs.mjs', ...args))).toEqual(counts);
    const again = { ...counts, read: 0, written: 0, resumed: true };
    expect(JSON.parse(run('runs.mjs', ...args))).toEqual(again);
  });

  it('orders.mjs unnests, casts, partitions and sums', () => {
    expect(run('orders.mjs', folder).trimEnd().split('\n')).toEqual([
      'cast: lines.price is not a number: free',
      'country=DE/part-0000.jsonl: 2',
      'country=FR/part-0000.jsonl: 1',
      '{"country":"DE","lines":2,"total":3.5}',
      '{"country":"FR","lines":1,"total":1.25}',
    ]);
  });

  it('are all tested here', () => {
    const names = listFiles('examples/recipes', /\.mjs$/).map((path) => path.split('/').at(-1)!);
    const text = readText('test/tidy/recipes.test.ts');
    expect(names.filter((name) => !text.includes(`run('${name}'`))).toEqual([]);
  });
});
