import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { gunzipSync } from 'node:zlib';
import { tableFromIPC } from 'apache-arrow';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Batch, Document } from '../../../src/core/batch.ts';
import { EtlError } from '../../../src/core/errors.ts';
import type { Reject } from '../../../src/core/reject.ts';
import type { Disk } from '../../../src/io/disk.ts';
import { nodeDisk } from '../../../src/io/node-disk.ts';
import { arrowSink } from '../../../src/sinks/arrow-sink.ts';
import { type CsvSinkOptions, csvSink } from '../../../src/sinks/csv-sink.ts';
import { jsonSink } from '../../../src/sinks/json-sink.ts';
import { createJsonlSink, jsonlSink } from '../../../src/sinks/jsonl-sink.ts';
import { parquetSink } from '../../../src/sinks/parquet-sink.ts';
import {
  createPartitionedSink,
  type FolderOptions,
  type PartitionedOptions,
  partitioned,
} from '../../../src/sinks/partitioned.ts';
import { fromIterable } from '../../../src/sources/from-iterable.ts';
import { jsonlSource } from '../../../src/sources/jsonl-source.ts';
import { testSinkContract } from '../../contract/sink-contract.ts';
import { filesBelow, textOf } from '../../support/files-below.ts';
import { jsonValue } from '../../support/random-documents.ts';
import { numbers, openDescriptors, sleep, temporaryFolder } from '../../support/stages.ts';
import { batchesOf, batchOf, textsOf } from '../../support/transforms.ts';

const controller = () => new AbortController().signal;

testSinkContract('jsonlSink(rotating)', () => {
  const folder = join(temporaryFolder(), 'out');
  return {
    open: (options) => jsonlSink(folder, { ...options, rotate: { documents: 700 } }),
    async readBack() {
      if (!existsSync(folder)) return undefined;
      const found: Document[] = [];
      for (const file of filesBelow(folder)) {
        for await (const document of jsonlSource(join(folder, file))) found.push(document);
      }
      return found;
    },
  };
});

describe('partitions', () => {
  it('go to folders by value, in the order of the fields', async () => {
    const folder = join(temporaryFolder(), 'out');
    const texts = [
      '{"c":"DE","y":2024,"n":12345678901234567890}',
      '{"c":"FR","y":2024 }',
      '{"c":"DE","y":2024.0}',
      '{"c":null,"y":"2024"}',
      '{}',
    ];
    const sink = jsonlSink(folder, { partitionBy: ['c', 'y'], compression: 'gzip' });
    await pipeline(fromIterable(batchesOf(texts, 2)), sink);
    const nothing = '__HIVE_DEFAULT_PARTITION__';
    expect(filesBelow(folder)).toEqual([
      'c=DE/y=2024/part-0000.jsonl.gz',
      'c=FR/y=2024/part-0000.jsonl.gz',
      `c=${nothing}/y=2024/part-0000.jsonl.gz`,
      `c=${nothing}/y=${nothing}/part-0000.jsonl.gz`,
    ]);
    const first = gunzipSync(
      readFileSync(join(folder, 'c=DE/y=2024/part-0000.jsonl.gz')),
    ).toString();
    expect(first).toBe(`${texts[0]}\n${texts[2]}\n`);
    const { documents, files } = await sink.summary;
    expect([documents, files.length]).toEqual([5, 4]);
  });

  it.each([
    ['"../../x"', 'k=%2E.%2F..%2Fx'],
    ['".."', 'k=%2E%2E'],
    ['""', 'k='],
    ['"a=b%c"', 'k=a%3Db%25c'],
    ['"\\u0000\\n"', 'k=%00%0A'],
    ['"é😀"', 'k=é😀'],
    ['" x "', 'k=%20x%20'],
    ['"C:\\\\a"', 'k=C%3A%5Ca'],
    ['"__HIVE_DEFAULT_PARTITION__"', 'k=%5F_HIVE_DEFAULT_PARTITION__'],
    ['"null"', 'k=null'],
    ['"\ufeffa"', 'k=\ufeffa'],
    ['null', 'k=__HIVE_DEFAULT_PARTITION__'],
    ['true', 'k=true'],
  ])('the value %s gets the name %s', async (value, name) => {
    const folder = join(temporaryFolder(), 'out');
    await pipeline(
      fromIterable([batchOf([`{"k":${value}}`])]),
      jsonlSink(folder, { partitionBy: 'k' }),
    );
    expect(filesBelow(folder)).toEqual([`${name}/part-0000.jsonl`]);
  });

  it('never write outside, over another file, or lose a document, whatever the values', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(jsonValue, { minLength: 1, maxLength: 20 }), async (values) => {
        const root = temporaryFolder();
        const folder = join(root, 'out');
        const rejects: Reject[] = [];
        const make = (path: string) => createJsonlSink(path);
        const options = { extension: '.jsonl', partitionBy: 'k', maxOpenFiles: 2 };
        const sink = createPartitionedSink(folder, make, options);
        await sink.open(controller());
        const texts = values.map((value, n) => `{"n":${n},"k":${value}}`);
        for (const batch of batchesOf(texts, 6)) {
          await sink.write(batch, (reject) => void rejects.push(reject));
        }
        await sink.finish();
        const files = filesBelow(root);
        for (const file of files) expect(file).toMatch(/^out\/k=[^/]*\/part-\d{4}\.jsonl$/);
        const written = files.flatMap((file) => textOf(root, file).trimEnd().split('\n'));
        const refused = rejects.map(({ bytes }) => Buffer.from(bytes).toString());
        expect([...written, ...refused].sort()).toEqual([...texts].sort());
        for (const text of refused) {
          const { k } = JSON.parse(text) as { k: unknown };
          expect(typeof k === 'object' || String(k).length > 60).toBe(true);
        }
      }),
      { numRuns: 30 },
    );
  });

  it('that differ in case only never share a file name', async () => {
    const folder = join(temporaryFolder(), 'out');
    const texts = ['{"k":"de"}', '{"k":"DE"}', '{"k":"é"}', '{"k":"e\\u0301"}'];
    await pipeline(fromIterable([batchOf(texts)]), jsonlSink(folder, { partitionBy: 'k' }));
    const folded = filesBelow(folder).map((file) => file.normalize('NFC').toLowerCase());
    expect(new Set(folded).size).toBe(4);
  });

  it('keep few files open, and end at a limit of files', async () => {
    const folder = join(temporaryFolder(), 'out');
    const before = openDescriptors();
    let most = 0;
    const texts = Array.from({ length: 120 }, (_, n) => `{"k":${n % 30},"n":${n}}`);
    const make = (path: string) => {
      const sink = createJsonlSink(path);
      const write = (batch: Batch) => {
        most = Math.max(most, openDescriptors() - before);
        return sink.write(batch);
      };
      return { ...sink, satisfied: false, write };
    };
    const options: PartitionedOptions = { extension: '.jsonl', partitionBy: 'k', maxOpenFiles: 4 };
    const sink = partitioned(folder, make, options);
    await pipeline(fromIterable(batchesOf(texts, 50)), sink);
    expect(most).toBeLessThanOrEqual(5);
    const found = filesBelow(folder).flatMap((file) => textOf(folder, file).trimEnd().split('\n'));
    expect(found.sort()).toEqual([...texts].sort());
    const limited = jsonlSink(`${folder}2`, { partitionBy: 'n', maxFiles: 100 });
    await expect(pipeline(fromIterable(batchesOf(texts, 50)), limited)).rejects.toMatchObject({
      code: 'LIMIT_EXCEEDED',
    });
    expect(filesBelow(`${folder}2`)).toEqual([]);
    expect(openDescriptors()).toBeLessThanOrEqual(before);
  });
});

describe('rotation', () => {
  it('by count and by bytes never cuts a document, and keeps the order', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 30 }),
        fc.integer({ min: 1, max: 5 }),
        fc.integer({ min: 1, max: 60 }),
        fc.integer({ min: 1, max: 9 }),
        async (count, documents, bytes, size) => {
          const folder = join(temporaryFolder(), 'out');
          const texts = numbers(count).map((document) => JSON.stringify(document));
          await pipeline(
            fromIterable(batchesOf(texts, size)),
            jsonlSink(folder, { rotate: { documents, bytes } }),
          );
          const files = filesBelow(folder).map((file) => textOf(folder, file));
          expect(files.join('')).toBe(`${texts.join('\n')}\n`);
          for (const [i, text] of files.entries()) {
            const lines = text.trimEnd().split('\n').length;
            expect(lines).toBeLessThanOrEqual(documents);
            if (lines > 1) expect(text.length).toBeLessThanOrEqual(bytes);
            const next = files[i + 1]?.split('\n')[0];
            if (next !== undefined && lines < documents) {
              expect(text.length + next.length + 1).toBeGreaterThan(bytes);
            }
          }
        },
      ),
      { numRuns: 30 },
    );
  });

  it('works for CSV: a header in each file, by count and by bytes', async () => {
    const documents = numbers(7).map(({ n }) => ({ n, odd: (n as number) % 2 === 1 }));
    const run = async (options: CsvSinkOptions & FolderOptions) => {
      const folder = join(temporaryFolder(), 'out');
      const sink = csvSink(folder, options);
      await pipeline(fromIterable(documents), sink);
      expect((await sink.summary).documents).toBe(7);
      return filesBelow(folder).map((file) => {
        const bytes = readFileSync(join(folder, file));
        return [file, (file.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString()];
      });
    };
    const by = { partitionBy: 'odd', delimiter: ';', compression: 'gzip' } as const;
    expect(await run({ ...by, rotate: { documents: 3 } })).toEqual([
      ['odd=false/part-0000.csv.gz', 'n;odd\n0;false\n2;false\n4;false\n'],
      ['odd=false/part-0001.csv.gz', 'n;odd\n6;false\n'],
      ['odd=true/part-0000.csv.gz', 'n;odd\n1;true\n3;true\n5;true\n'],
    ]);
    expect(
      await run({ rotate: { bytes: 80 }, header: false, columns: ['n'], extra: 'drop' }),
    ).toEqual([
      ['part-0000.csv', '0\n1\n2\n3\n'],
      ['part-0001.csv', '4\n5\n6\n'],
    ]);
    expect(() => csvSink('out', { rotate: { documents: 1 }, header: false })).toThrow(
      /need columns/,
    );
  });

  it('works for Arrow', async () => {
    const folder = join(temporaryFolder(), 'out');
    const sink = arrowSink(folder, { rotate: { documents: 4 }, partitionBy: 'odd' });
    const documents = numbers(11).map(({ n }) => ({ n, odd: (n as number) % 2 === 1 }));
    await pipeline(fromIterable(documents), sink);
    expect((await sink.summary).documents).toBe(11);
    const rows = filesBelow(folder).map((file) => {
      return [file, tableFromIPC(readFileSync(join(folder, file))).numRows];
    });
    expect(rows).toEqual([
      ['odd=false/part-0000.arrow', 4],
      ['odd=false/part-0001.arrow', 2],
      ['odd=true/part-0000.arrow', 4],
      ['odd=true/part-0001.arrow', 1],
    ]);
  });
});

describe('publishing', () => {
  const texts = numbers(10).map((document) => JSON.stringify(document));
  const rotate = { documents: 2 };

  it('shows nothing before the end, or each file when it is whole', async () => {
    for (const publish of ['end', 'each'] as const) {
      const folder = join(temporaryFolder(), 'out');
      const make = (path: string) => createJsonlSink(path);
      const sink = createPartitionedSink(folder, make, { extension: '.jsonl', rotate, publish });
      await sink.open(controller());
      await sink.write(batchOf(texts.slice(0, 5)));
      const visible = () => filesBelow(folder).filter((file) => !/(^|\/)\./.test(file)).length;
      expect(visible()).toBe(publish === 'end' ? 0 : 2);
      await sink.abort(new Error('enough'));
      expect(filesBelow(folder)).toHaveLength(publish === 'end' ? 0 : 2);
    }
  });

  it('refuses a folder that is not empty, or adds to it', async () => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, '.left.tmp'));
    await pipeline(fromIterable([batchOf(texts)]), jsonlSink(folder, { rotate }));
    const again = pipeline(fromIterable([batchOf(texts)]), jsonlSink(folder, { rotate }));
    await expect(again).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      place: { path: folder },
    });
    const sink = jsonlSink(folder, { rotate, existing: 'append' });
    await pipeline(fromIterable([batchOf(texts)]), sink);
    expect(filesBelow(folder)).toHaveLength(10);
    expect(() => jsonlSink('-', { rotate })).toThrow(/need a folder/);
  });

  it.each<[string, (path: string, options: object) => unknown]>([
    ['jsonlSink', jsonlSink],
    ['jsonSink', jsonSink],
    ['csvSink', csvSink],
    ['arrowSink', arrowSink],
    ['parquetSink', parquetSink],
  ])('are asked for where options of a folder are given: %s', (name, sink) => {
    for (const options of [
      { existing: 'append' },
      { publish: 'end' },
      { maxFiles: 3 },
    ] as object[]) {
      const [option] = Object.keys(options);
      const reason = `${name}: ${option} is for a folder of files, and this writes one file`;
      expect(() => sink('log', options)).toThrow(
        expect.objectContaining({ code: 'INVALID_ARGUMENT', reason }),
      );
    }
  });

  it('leaves nothing when it is aborted in the middle', async () => {
    const folder = temporaryFolder();
    const make = (path: string) => createJsonlSink(path);
    const stop = new AbortController();
    let aborting: Promise<void> | undefined;
    const disk: Disk = Object.create(nodeDisk, {
      lock: { value: (path: string) => nodeDisk.lock(path) },
      rename: {
        value: async (from: string, to: string) => {
          stop.abort(new Error('enough'));
          aborting ??= sink.abort(stop.signal.reason);
          await sleep(20);
          await nodeDisk.rename(from, to);
        },
      },
    });
    const sink = createPartitionedSink(folder, make, { extension: '.jsonl', rotate }, disk);
    await sink.open(stop.signal);
    await sink.write(batchOf(texts));
    await expect(sink.finish()).rejects.toThrow('enough');
    await aborting;
    expect(readdirSync(folder)).toEqual([]);
  });

  it.each([{ rotate }, { partitionBy: ['n', 'm'] }])(
    'leaves nothing when the disk is full, wherever that happens: %s',
    async (divide) => {
      const full = () => {
        const cause = Object.assign(new Error('no space left'), { code: 'ENOSPC' });
        return new EtlError('IO_ERROR', 'cannot be written', { cause });
      };
      // Counts what it does; the operation with the number given fails, and all after it.
      for (let fatal = 0; ; fatal++) {
        const folder = join(temporaryFolder(), 'out');
        let operations = 0;
        let failed = false;
        const step = async <T>(run: () => Promise<T>): Promise<T> => {
          if (operations++ >= fatal) {
            failed = true;
            throw full();
          }
          return run();
        };
        const make = (path: string) => {
          const sink = createJsonlSink(path);
          return {
            ...sink,
            satisfied: false,
            open: (signal: AbortSignal) => step(() => sink.open(signal)),
            write: (batch: Batch) => step(() => sink.write(batch)),
            finish: () => step(() => sink.finish()),
          };
        };
        const disk = {
          mkdir: (path: string) => step(() => nodeDisk.mkdir(path)),
          lock: (path: string) => step(() => nodeDisk.lock(path)),
          list: (path: string) => nodeDisk.list(path),
          removeFolder: (path: string) => nodeDisk.removeFolder(path),
          stat: (path: string) => nodeDisk.stat(path),
          rename: (from: string, to: string) => step(() => nodeDisk.rename(from, to)),
          remove: (path: string) => nodeDisk.remove(path),
          syncDir: (path: string) => step(() => nodeDisk.syncDir(path)),
        } as Disk;
        const before = openDescriptors();
        const sink = createPartitionedSink(folder, make, { extension: '.jsonl', ...divide }, disk);
        const { signal } = new AbortController();
        try {
          await sink.open(signal);
          for (const batch of batchesOf(texts, 3)) await sink.write(batch);
          const { documents } = await sink.finish();
          expect(documents).toBe(10);
        } catch (error) {
          expect(error).toMatchObject({ code: 'IO_ERROR', cause: { code: 'ENOSPC' } });
          await sink.abort(error);
          if (existsSync(folder)) expect(readdirSync(folder)).toEqual([]);
        }
        expect(openDescriptors()).toBeLessThanOrEqual(before);
        if (failed) continue;
        expect(fatal).toBeGreaterThan(15);
        break;
      }
      expect(textsOf(batchOf(texts))).toEqual(texts);
    },
  );
});
