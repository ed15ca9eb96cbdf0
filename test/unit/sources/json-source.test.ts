import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { jsonlSink } from '../../../src/sinks/jsonl-sink.ts';
import { createJsonSource, jsonSource } from '../../../src/sources/json-source.ts';
import { openDescriptors, sleep, temporaryFolder } from '../../support/stages.ts';
import { root } from '../../tidy/project.ts';

const data = (name: string) => join(root, 'node_modules/vega-datasets/data', name);

describe('jsonSource', () => {
  it.each(['movies.json', 'cars.json', 'penguins.json', 'countries.json', 'flare.json'])(
    'reads %s as JSON.parse does',
    async (name) => {
      const path = data(name);
      const found = await jsonSource(path, { batchBytes: 5000 }).toArray();
      expect(found).toEqual(JSON.parse(readFileSync(path, 'utf8')));
    },
  );

  it('reads what is nested, by path, compressed too', async () => {
    const path = join(temporaryFolder(), 'earthquakes.json.gz');
    const text = readFileSync(data('earthquakes.json'), 'utf8');
    writeFileSync(path, gzipSync(text));
    const found = await jsonSource(path, { path: 'features' }).toArray();
    expect(found.length).toBeGreaterThan(1000);
    expect(found).toEqual((JSON.parse(text) as { features: unknown[] }).features);
    expect(await jsonSource(path).toArray()).toEqual([JSON.parse(text)]);
  });

  it.each([1, 2, 3])(
    'passes over a byte order mark of which %i bytes come first',
    async (first) => {
      const bytes = Buffer.from('\ufeff[{"n":1}]');
      const slowly = async function* () {
        yield bytes.subarray(0, first);
        await sleep(20);
        yield bytes.subarray(first);
      };
      expect(await jsonSource(slowly()).toArray()).toEqual([{ n: 1 }]);
      const cut = jsonSource([bytes.subarray(0, first)]).toArray();
      await expect(cut).rejects.toMatchObject({ code: 'TRUNCATED_INPUT' });
    },
  );

  it('passes numbers of any size through to a file', async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'a.json'), '[{"n":9223372036854775807},\n{"n":1.10}]');
    await pipeline(jsonSource(join(folder, 'a.json')), jsonlSink(join(folder, 'b.jsonl')));
    const lines = readFileSync(join(folder, 'b.jsonl'), 'utf8');
    expect(lines).toBe('{"n":9223372036854775807}\n{"n":1.10}\n');
  });

  it('goes on from every cursor', async () => {
    const folder = temporaryFolder();
    const objects = Array.from({ length: 300 }, (_, n) => ({ n, s: 'x'.repeat(n % 30) }));
    const indented = JSON.stringify({ a: { b: objects.slice(0, 200) }, c: [1, { a: 2 }] }, null, 1);
    writeFileSync(join(folder, '1.json'), indented);
    writeFileSync(join(folder, '2.json'), JSON.stringify({ a: { b: objects.slice(200) } }));
    const open = () => createJsonSource(join(folder, '*'), { path: 'a.b', batchBytes: 500 });
    const read = async (from?: unknown) => {
      const documents: unknown[] = [];
      const cursors: { cursor: string; after: number }[] = [];
      for await (const batch of open().batches(new AbortController().signal, {}, from)) {
        documents.push(...batch.documents());
        cursors.push({ cursor: JSON.stringify(batch.cursor), after: documents.length });
      }
      return { documents, cursors };
    };
    const before = openDescriptors();
    const whole = await read();
    expect(whole.documents).toEqual(objects);
    expect(whole.cursors.length).toBeGreaterThan(15);
    for (const { cursor, after } of whole.cursors) {
      expect((await read(JSON.parse(cursor))).documents).toEqual(objects.slice(after));
    }
    expect(openDescriptors()).toBeLessThanOrEqual(before);
  });

  it('names file and offset of what is wrong', async () => {
    const path = join(temporaryFolder(), 'a.json');
    writeFileSync(path, '[{"n":1},{"n":}]');
    await expect(jsonSource(path).toArray()).rejects.toMatchObject({
      code: 'JSON_ERROR',
      place: { path, offset: 14 },
    });
  });

  it('closes the file where an option is impossible', async () => {
    const path = join(temporaryFolder(), 'x.json');
    writeFileSync(path, '[{"n":1}]');
    const before = openDescriptors();
    for (const options of [{ maxLineBytes: 0 }, { maxDepth: 1.5 }, { maxDepth: 0 }]) {
      await expect(jsonSource(path, options).toArray()).rejects.toThrow('must be');
    }
    expect(openDescriptors()).toBe(before);
  });
});
