import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { type } from 'arktype';
import { describe, expect, it } from 'vitest';
import type { Batch, Document } from '../../../src/core/batch.ts';
import type { Reject } from '../../../src/core/reject.ts';
import type { Source, Transform, Wants } from '../../../src/core/stage.ts';
import { run } from '../../../src/pipeline/index.ts';
import { jsonlSink } from '../../../src/sinks/jsonl-sink.ts';
import {
  type CsvSourceOptions,
  createCsvSource,
  csvSource,
} from '../../../src/sources/csv-source.ts';
import { filter, map, tap, transformStage, validate } from '../../../src/stages.ts';
import { SourceStream } from '../../../src/streams/source-stream.ts';
import type { TransformStage } from '../../../src/streams/transform-stage.ts';
import { tapTransform } from '../../../src/transforms/tap.ts';
import { probeSink, temporaryFolder } from '../../support/stages.ts';

/** Columns of every type, names that objects treat specially, and values that are no plain ones. */
const MIXED = `id,__proto__,7,count,ratio,ok,note
1,p,q,12,1.5,true,plain
-0,é,"a ""b"" c",-2147483648,1e3,FALSE,${'long enough to be cut from a text. '.repeat(3)}
2147483648,,"",9007199254740993,0.1,,${'é'.repeat(40)}
3,"x",NA,2147483647,123456789.123456789,true,${'a row that is longer than a text to cut from '.repeat(120)}
4,y,z,x,y,z,"two
lines"
`;
const MIXED_TYPES = { count: 'integer', ratio: 'number', ok: 'boolean', note: 'string' } as const;

const BYTES = new TextEncoder().encode(MIXED);

const drain = () => new Writable({ objectMode: true, write: (_, __, done) => done() });

async function read(options: CsvSourceOptions = {}) {
  const found: object[] = [];
  for await (const document of csvSource([BYTES], options)) found.push(document);
  return found;
}

describe('csvSource, to objects', () => {
  it.each([{}, { empty: 'omit' }, { nulls: ['NA'], empty: 'string' }] as CsvSourceOptions[])(
    'makes the objects that JSON.parse makes of its bytes (%j)',
    async (options) => {
      const how = { types: MIXED_TYPES, ...options };
      const documents = (await read(how)).map((document) => JSON.stringify(document));
      let lines = '';
      for await (const batch of csvSource([BYTES], how).batches()) {
        lines += new TextDecoder().decode(batch.bytes());
      }
      const parsed = lines.trimEnd().split('\n');
      expect(documents).toEqual(parsed.map((line) => JSON.stringify(JSON.parse(line))));
      expect(documents).toHaveLength(5);
      expect(lines).toContain('9007199254740993');
    },
  );

  describe('for a transform that looks at objects', () => {
    const rows = 'id,big\n1,9007199254740993\n2,5\n"3\n",6\n4,7\n';
    const bytes = new TextEncoder().encode(rows);

    it('makes no JSON unless it is asked for', async () => {
      const seen: Batch[] = [];
      const look: Transform = {
        ...tapTransform(() => {}),
        apply(batch) {
          seen.push(batch);
          return [batch];
        },
      };
      await pipeline(csvSource([bytes]), transformStage(look), drain());
      expect(seen.map(({ hasDocuments, hasBytes }) => [hasDocuments, hasBytes])).toEqual([
        [true, false],
      ]);
      expect(seen[0]!.place(3)).toMatchObject({ offset: rows.indexOf('4,7'), line: 6 });
    });

    it.each<[string, () => TransformStage]>([
      ['map', () => map((row) => ({ ...row }))],
      ['filter', () => filter(() => true)],
      ['tap', () => tap(() => {})],
      ['validate', () => validate(type({ id: 'string' }))],
    ])('is asked by %s', async (_, make) => {
      const asked: Wants[] = [];
      const source = createCsvSource([bytes]);
      const noted: Source = {
        ...source,
        batches(signal, wants, from) {
          asked.push(wants);
          return source.batches(signal, wants, from);
        },
      };
      await pipeline(new SourceStream(noted), make(), drain());
      expect(asked).toEqual([{ objects: true }]);
    });

    it('makes none in a run either, and keeps places and digits there', async () => {
      const sink = probeSink();
      const rejects: Reject[] = [];
      const { read, bytes: size } = await run({
        name: 'rows',
        source: csvSource([bytes]),
        transforms: [
          tap(() => {}),
          map(({ id, ...rest }: Document) => (id === '1' ? (id as never) : { id, ...rest })),
        ],
        sink,
        onError: (reject) => void rejects.push(reject),
      });
      expect(sink.batches.map(({ hasBytes }) => hasBytes)).toEqual([false]);
      expect([read, size]).toEqual([4, bytes.length - 'id,big\n'.length]);
      expect(rejects).toMatchObject([{ place: { line: 2 } }]);
      expect(new TextDecoder().decode(rejects[0]!.bytes)).toBe('{"id":"1","big":9007199254740993}');
    });

    it('keeps places and all digits of what is refused, and of what is kept', async () => {
      const rejects: Reject[] = [];
      const onReject = (reject: Reject) => void rejects.push(reject);
      const out = join(temporaryFolder(), 'a.jsonl');
      const throwForFirst = ({ id }: { id: string }) => {
        if (id === '1') throw new Error('one is too many');
        return true;
      };
      const isGood = (value: { id: unknown }) => value.id !== '2';
      await pipeline(
        csvSource([bytes]),
        validate(type({ id: 'string' }).narrow(isGood), { keep: 'input', onReject }),
        jsonlSink(out),
      );
      expect(readFileSync(out, 'utf8')).toBe(
        '{"id":"1","big":9007199254740993}\n{"id":"3\\n","big":6}\n{"id":"4","big":7}\n',
      );
      await pipeline(
        csvSource([bytes]),
        filter<{ id: string }>(throwForFirst, {
          onThrow: 'reject',
          onReject,
        }),
        drain(),
      );
      expect(
        rejects.map(({ place, bytes: raw }) => [place.line, new TextDecoder().decode(raw)]),
      ).toEqual([
        [3, '{"id":"2","big":5}'],
        [2, '{"id":"1","big":9007199254740993}'],
      ]);
    });
  });

  it('makes the same objects where code must not be generated', async () => {
    const file = join(temporaryFolder(), 'a.csv');
    writeFileSync(file, MIXED);
    const script = `
      const { csvSource } = await import(process.argv[1]);
      for await (const row of csvSource(process.argv[2])) console.log(JSON.stringify(row));`;
    const flags = ['--disallow-code-generation-from-strings', '--input-type=module', '-e', script];
    const entry = new URL('../../../dist/index.js', import.meta.url).href;
    const { stdout } = await promisify(execFile)(process.execPath, [...flags, entry, file]);
    const documents = (await read()).map((document) => JSON.stringify(document));
    expect(stdout.trimEnd().split('\n')).toEqual(documents);
  });
});
