import { pipeline } from 'node:stream/promises';
import type { ReadableStream } from 'node:stream/web';
import { type } from 'arktype';
import * as v from 'valibot';
import { describe, expectTypeOf, it } from 'vitest';
import * as z from 'zod';
import type { Documents } from '../../src/core/document-iterator.ts';
import {
  aggregate,
  arrowSink,
  type Batch,
  batch,
  type CastOptions,
  type Chain,
  cast,
  chain,
  csvSink,
  type Document,
  type DocumentOf,
  dedupe,
  type Engine,
  eq,
  type FastStore,
  filter,
  flatten,
  fromIterable,
  fromWeb,
  type JsonlSinkSummary,
  jsonlSink,
  jsonlSource,
  lookup,
  map,
  type PartitionedSummary,
  project,
  rename,
  run,
  type Scan,
  type Scanner,
  type ScanOptions,
  type SinkStream,
  type SourceStream,
  type StandardSchema,
  sample,
  type TransformStage,
  tap,
  throttle,
  unnest,
  validate,
} from '../../src/index.ts';

interface Event {
  id: string;
  score: number;
}

describe('types', () => {
  it('flow out of sources', () => {
    expectTypeOf(jsonlSource('a')).toEqualTypeOf<SourceStream<Document>>();
    const source = jsonlSource<Event>('a');
    // No type of Node's: versions of @types/node name it differently.
    expectTypeOf(source[Symbol.asyncIterator]()).toEqualTypeOf<Documents<Event>>();
    async () => {
      for await (const event of source) expectTypeOf(event).toEqualTypeOf<Event>();
      for await (const batch of source.batches()) expectTypeOf(batch).toEqualTypeOf<Batch>();
    };
    expectTypeOf(source.toWeb).toBeCallableWith({ batches: true });
    expectTypeOf<ReturnType<() => ReadableStream<Event>>>().toEqualTypeOf<ReadableStream<Event>>();
    expectTypeOf(fromIterable([{ id: 'a', score: 1 }])).toEqualTypeOf<SourceStream<Event>>();
    expectTypeOf(fromWeb({} as ReadableStream<Event>)).toEqualTypeOf<SourceStream<Event>>();
  });

  it('flow through transforms', () => {
    expectTypeOf(map((event: Event) => ({ double: event.score * 2 }))).toEqualTypeOf<
      TransformStage<Event, { double: number }>
    >();
    expectTypeOf(map(async (event: Event) => event)).toEqualTypeOf<TransformStage<Event, Event>>();
    expectTypeOf(filter((event: Event) => event.score > 1)).toEqualTypeOf<TransformStage<Event>>();
    expectTypeOf(filter<Event>(eq('id', 'a'))).toEqualTypeOf<TransformStage<Event>>();
    expectTypeOf(project<Event>(['id'])).toEqualTypeOf<TransformStage<Event, Partial<Event>>>();
    expectTypeOf(tap((event: Event) => event.id)).toEqualTypeOf<TransformStage<Event>>();
    // @ts-expect-error a document is an object
    map((event: Event) => event.score);
  });

  it('tell a folder of files from one file', () => {
    const one = () => jsonlSink('a', { compression: 'gzip' });
    expectTypeOf(one).returns.toEqualTypeOf<SinkStream<JsonlSinkSummary>>();
    const folder = () => jsonlSink('a', { rotate: { documents: 2 }, existing: 'append' });
    expectTypeOf(folder).returns.toEqualTypeOf<SinkStream<PartitionedSummary>>();
    // @ts-expect-error one file is not added to
    () => jsonlSink('a', { existing: 'append' });
    const kept = { partitionBy: 'c', compression: 'none' as const };
    expectTypeOf(() => jsonlSink('a', kept)).returns.toEqualTypeOf<
      SinkStream<PartitionedSummary>
    >();
    expectTypeOf(() => csvSink('a', kept)).returns.toEqualTypeOf<SinkStream<PartitionedSummary>>();
    const rows = { rotate: { documents: 2 }, batchRows: 9 };
    expectTypeOf(() => arrowSink('a', rows)).returns.toEqualTypeOf<
      SinkStream<PartitionedSummary>
    >();
    const perhaps: { compression: 'none'; partitionBy?: string } = { compression: 'none' };
    // @ts-expect-error one file or a folder: nobody knows
    () => jsonlSink('a', perhaps);
  });

  it('change with names and values', () => {
    expectTypeOf(rename<Event, { id: 'key' }>({ id: 'key' })).toEqualTypeOf<
      TransformStage<Event, { key: string; score: number }>
    >();
    expectTypeOf(rename({ a: 'b' })).toExtend<TransformStage<Document, object>>();
    type Row = { n: string; flag: number | null; rest: string };
    expectTypeOf(
      cast<Row, { n: 'number'; flag: 'boolean'; rest: (text: unknown) => Date }>({
        n: 'number',
        flag: 'boolean',
        rest: (text) => new Date(String(text)),
      }),
    ).toEqualTypeOf<TransformStage<Row, { n: number; flag: boolean | null; rest: string }>>();
    // @ts-expect-error no such type
    () => cast({ n: 'float' });
    type Order = { id: string; items: { sku: string }[] };
    expectTypeOf(unnest<Order, 'items'>('items')).toEqualTypeOf<
      TransformStage<Order, { id: string; items: { sku: string } }>
    >();
    const schema = {} as StandardSchema<Event>;
    expectTypeOf(validate(schema)).toEqualTypeOf<TransformStage<Document, Event>>();
    for (const same of [
      dedupe<Event>({ by: 'id' }),
      batch<Event>({ count: 10 }),
      throttle<Event>({ documentsPerSecond: 5 }),
      sample<Event>({ every: 2 }),
    ]) {
      expectTypeOf(same).toEqualTypeOf<TransformStage<Event>>();
    }
    const from = new Map<string, { name: string }>();
    type Who = { who: { name: string } };
    const who = { from, by: 'id', as: 'who' } as const;
    expectTypeOf(lookup<Event, Who>({ ...who, missing: 'drop' })).toExtend<
      TransformStage<Event, Event & Who>
    >();
    expectTypeOf<DocumentOf<ReturnType<typeof lookup<Event, Who>>>['who']>().toEqualTypeOf<
      { name: string } | null | undefined
    >();
    const sum = { sum: 'score' } as const;
    expectTypeOf(aggregate<Event, { total: number }>({ measures: { total: sum } })).toEqualTypeOf<
      TransformStage<Event, { total: number }>
    >();
    expectTypeOf(flatten<Event, Event>()).toEqualTypeOf<TransformStage<Event>>();
  });

  it('come from schemas of any library, and go on from stage to stage', () => {
    const schemas = {
      zod: z.object({ id: z.string(), score: z.number() }),
      valibot: v.object({ id: v.string(), score: v.number() }),
      arktype: type({ id: 'string', score: 'number' }),
    };
    expectTypeOf(validate(schemas.zod)).toEqualTypeOf<TransformStage<Document, Event>>();
    expectTypeOf(validate(schemas.valibot)).toEqualTypeOf<TransformStage<Document, Event>>();
    expectTypeOf(validate(schemas.arktype)).toEqualTypeOf<TransformStage<Document, Event>>();
    const source = fromIterable([{ id: 'a', score: 1 }]);
    expectTypeOf<DocumentOf<typeof source>>().toEqualTypeOf<Event>();
    expectTypeOf<DocumentOf<string>>().toEqualTypeOf<never>();
    const checked = validate(schemas.zod);
    const doubled = map((event: DocumentOf<typeof checked>) => ({ double: event.score * 2 }));
    const large = filter((row: DocumentOf<typeof doubled>) => row.double > 1);
    expectTypeOf(large).toEqualTypeOf<TransformStage<{ double: number }>>();
    () => {
      const summary = pipeline(source, checked, doubled, large, jsonlSink('b'));
      expectTypeOf(summary).toEqualTypeOf<Promise<void>>();
    };
    // @ts-expect-error no such field of what the schema makes
    map((event: DocumentOf<typeof checked>) => ({ double: event.scores }));
  });

  it('go through chains, into functions that name none', () => {
    () => {
      const rows = chain(jsonlSource<Event>('a'))
        .through(filter((event) => event.score > 1))
        .through(
          map((event) => {
            expectTypeOf(event).toEqualTypeOf<Event>();
            return { id: event.id, double: event.score * 2 };
          }),
        )
        .through(dedupe({ by: 'id' }), 'ids')
        .through(filter(eq('id', 'a')))
        .through(rename({ double: 'twice' }))
        .through(tap((row) => expectTypeOf(row).toEqualTypeOf<{ id: string; twice: number }>()))
        .through(validate(z.object({ id: z.string(), twice: z.number().optional() })))
        .through(cast({ twice: 'string' }));
      expectTypeOf<DocumentOf<typeof rows>>().toExtend<{
        id: string;
        twice?: string | undefined;
      }>();
      const handle = run({ name: 'typed', ...rows, sink: jsonlSink('b') });
      expectTypeOf<Awaited<typeof handle>['sink']>().toEqualTypeOf<JsonlSinkSummary | undefined>();
      chain(jsonlSource<Event>('a'))
        // @ts-expect-error there is no such field
        .through(map((event) => ({ x: event.scores })))
        // @ts-expect-error takes other documents than the one in front gives
        .through(map((row: Event) => row));
    };
  });

  it('say what comes, whatever the options are', () => {
    type Row = { a?: { b: string; c: { d: 1 }[] }; tags: string | string[]; n: string };
    const rows = chain({} as SourceStream<Row>);
    const from = <O extends object>(step: Chain<O>) => expectTypeOf<DocumentOf<typeof step>>();
    () => {
      type Cast<N> = Omit<Row, 'n'> & { n: N };
      from(rows.through(cast({ n: 'number' }))).branded.toEqualTypeOf<Cast<number>>();
      from(rows.through(cast({ n: 'number' }, { onMisfit: 'null' }))).branded.toEqualTypeOf<
        Cast<number | null>
      >();
      from(rows.through(cast({ n: 'number' }, { onMisfit: 'keep' }))).branded.toEqualTypeOf<
        Cast<number | string>
      >();
      from(rows.through(cast({ n: 'integer' }, { emptyAsNull: true }))).branded.toEqualTypeOf<
        Cast<number | null>
      >();
      const given: CastOptions = {};
      from(rows.through(cast({ n: 'number' }, given))).branded.toEqualTypeOf<
        Cast<number | string | null>
      >();
      type Within = { a?: unknown; tags: string | string[]; n: string };
      from(rows.through(cast({ 'a.b': 'number' }))).branded.toEqualTypeOf<Within>();
      from(rows.through(rename({ 'a.b': 'x' }))).branded.toEqualTypeOf<Within>();
      from(rows.through(rename({ 'a\\.b': 'x' }))).branded.toEqualTypeOf<
        Record<'tags' | 'n', unknown> & { a?: unknown }
      >();
      from(rows.through(unnest('a.c'))).branded.toEqualTypeOf<Within>();
      from(rows.through(unnest(['a', 'c']))).branded.toEqualTypeOf<Within>();
      from(rows.through(unnest('tags'))).branded.toEqualTypeOf<Row & { tags: string }>();
      from(rows.through(unnest(['tags']))).branded.toEqualTypeOf<Row & { tags: string }>();
      type Lines = { lines?: { p: number }[] | null };
      const orders = chain({} as SourceStream<Lines>);
      from(orders.through(unnest('lines'))).branded.toEqualTypeOf<{ lines?: { p: number } }>();
      from(orders.through(unnest('lines', { empty: 'keep' }))).branded.toEqualTypeOf<{
        lines?: { p: number } | [] | null;
      }>();
      type Numbered = { _id: number; items: { p: 1 }[]; more?: 1[]; one: { all: 1[] } };
      const numbered = chain({} as SourceStream<Numbered>);
      const idOf = <O extends { _id: unknown }>(step: Chain<O>) =>
        expectTypeOf<DocumentOf<typeof step>['_id']>();
      idOf(numbered.through(unnest('items'))).toEqualTypeOf<string>();
      idOf(numbered.through(unnest(['more']))).toEqualTypeOf<string>();
      idOf(numbered.through(unnest('items', { empty: 'keep' }))).toEqualTypeOf<string | number>();
      idOf(numbered.through(unnest('one.all'))).toEqualTypeOf<string | number>();
      idOf(numbered.through(unnest('items', { ids: 'keep' }))).toEqualTypeOf<number>();
      const ids: { ids?: 'number' | 'keep' } = {};
      idOf(numbered.through(unnest('items', ids))).toEqualTypeOf<string | number>();
      type Other = { _id: 'a' | null; items: 1[] };
      const other = chain({} as SourceStream<Other>);
      idOf(other.through(unnest('items'))).toEqualTypeOf<string | null>();
      from(rows.through(project(['a.b']))).branded.toEqualTypeOf<{
        a?: { b?: string; c?: { d?: 1 }[] };
        tags?: string | string[];
        n?: string;
      }>();
      const schema = z.object({ n: z.coerce.number(), more: z.string().transform(Number) });
      from(rows.through(validate(schema))).toEqualTypeOf<{ n: number; more: number }>();
      from(rows.through(validate(schema, { keep: 'input' }))).branded.toEqualTypeOf<
        Row & { more: string }
      >();
      from(chain(jsonlSource('a')).through(validate(schema, { keep: 'input' }))).toExtend<{
        more: string;
      }>();
    };
  });

  it('of a store are of what is selected', () => {
    type Row = { at: string; by: { name: string } };
    type Some = { at?: string; by?: { name?: string } };
    const store = {} as FastStore<Row>;
    expectTypeOf(() => store.scan()).returns.toEqualTypeOf<Scan<Row>>();
    expectTypeOf(() => store.scan({ limit: 3 })).returns.toEqualTypeOf<Scan<Row>>();
    expectTypeOf(() => store.scan({ select: ['at'] })).returns.toEqualTypeOf<Scan<Some>>();
    const options: ScanOptions = {};
    expectTypeOf(() => store.scan(options)).returns.toEqualTypeOf<Scan<Some>>();
    const engine = {} as Engine<Row>;
    expectTypeOf(() => engine.scan(eq('at', 'b'))).returns.toEqualTypeOf<Scanner<Row>>();
    expectTypeOf(() => engine.scan(null, ['at'])).returns.toEqualTypeOf<Scanner<Some>>();
  });

  it('end in summaries', () => {
    const summaryOf = () => jsonlSink('a').summary;
    expectTypeOf(summaryOf).returns.toEqualTypeOf<Promise<JsonlSinkSummary>>();
    // @ts-expect-error no such compression
    () => jsonlSink('a', { compression: 'zip' });
  });
});
