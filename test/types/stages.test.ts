import type { ReadableStream } from 'node:stream/web';
import { describe, expectTypeOf, it } from 'vitest';
import {
  type Batch,
  type Document,
  eq,
  filter,
  fromIterable,
  fromWeb,
  type JsonlSinkSummary,
  jsonlSink,
  jsonlSource,
  map,
  project,
  type SourceStream,
  type TransformStage,
  tap,
} from '../../src/index.ts';

interface Event {
  id: string;
  score: number;
}

describe('types', () => {
  it('flow out of sources', () => {
    expectTypeOf(jsonlSource('a')).toEqualTypeOf<SourceStream<Document>>();
    const source = jsonlSource<Event>('a');
    expectTypeOf(source[Symbol.asyncIterator]().next).returns.resolves.toHaveProperty('value');
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

  it('end in summaries', () => {
    const summaryOf = () => jsonlSink('a').summary;
    expectTypeOf(summaryOf).returns.toEqualTypeOf<Promise<JsonlSinkSummary>>();
    // @ts-expect-error no such compression
    () => jsonlSink('a', { compression: 'zip' });
  });
});
