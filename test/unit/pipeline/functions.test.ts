/** A function of the user's that throws for a document is a fault of that document, in whatever stage of a run. */
import { describe, expect, it } from 'vitest';
import type { Document } from '../../../src/core/batch.ts';
import type { Reject } from '../../../src/core/reject.ts';
import type { Sink, Transform } from '../../../src/core/stage.ts';
import type { StandardSchema } from '../../../src/core/standard-schema.ts';
import { type RunHandle, run } from '../../../src/pipeline/index.ts';
import { createRoute } from '../../../src/sinks/route.ts';
import { createZdsSink } from '../../../src/sinks/zds-sink.ts';
import { fromIterable } from '../../../src/sources/from-iterable.ts';
import { FastStore } from '../../../src/store/index.ts';
import { castTransform, mapTransform, validateTransform } from '../../../src/transforms/index.ts';
import { FaultDisk } from '../../support/fault-disk.ts';
import { probeSink, sleep, temporaryFolder } from '../../support/stages.ts';

const failure = new Error('odd');
const check = (n: unknown) => {
  if (n === 1) throw failure;
  return n;
};
const checkDocument = (document: Document) => {
  check(document.n);
  return document;
};

/** Throws for odd documents, at once or later. */
const schema = (later: boolean): StandardSchema<object> => ({
  '~standard': {
    version: 1,
    vendor: 'test',
    validate: (value) => {
      const checked = () => ({ value: checkDocument(value as Document) });
      return later ? Promise.resolve().then(checked) : checked();
    },
  },
});
const id = (document: Document) => String(checkDocument(document)._id);

const store = (options: object): Sink<unknown> => createZdsSink(temporaryFolder(), 'c', options);
const stages: [string, () => Sink<unknown>, Transform?][] = [
  ['zdsSink: id', () => store({ id })],
  ['zdsSink: id, with a schema', () => store({ id, schema: schema(false) })],
  ['zdsSink: schema', () => store({ schema: schema(false) })],
  ['zdsSink: a schema that is late', () => store({ schema: schema(true) })],
  ['route', () => createRoute({ by: id, to: {}, otherwise: probeSink() })],
  ['validate', () => probeSink(), validateTransform(schema(false))],
  ['validate, late', () => probeSink(), validateTransform(schema(true))],
  ['cast', () => probeSink(), castTransform({ n: check })],
];

describe.each(stages)('%s', (_name, sinkOf, transform) => {
  const load = (onError?: (reject: Reject) => void) =>
    run({
      name: 'load',
      source: fromIterable([0, 1, 2].map((n) => ({ _id: `d${n}`, n }))),
      transforms: transform ? [transform] : [],
      sink: sinkOf(),
      ...(onError ? { onError } : {}),
    });

  it('sets the document aside', async () => {
    const rejects: Reject[] = [];
    const summary = await load((reject) => rejects.push(reject));
    expect(summary).toMatchObject({ written: 2, rejected: 1 });
    const reason = expect.stringMatching(/the (function|schema) threw: odd$/);
    expect(rejects).toMatchObject([{ code: 'FUNCTION_FAILED', reason, place: { ordinal: 1 } }]);
    expect(Buffer.from(rejects[0]!.bytes).toString()).toBe('{"_id":"d1","n":1}');
  });

  it('stops at it with its place and cause', async () => {
    await expect(load().done).rejects.toMatchObject({
      code: 'FUNCTION_FAILED',
      place: { ordinal: 1 },
      cause: failure,
    });
  });
});

it('leaves a store as it was that puts with such a schema', async () => {
  const options = { disk: new FaultDisk(), schema: schema(false) };
  const there = await FastStore.open<object>('/s', 'c', options);
  const failed = expect.objectContaining({ code: 'FUNCTION_FAILED', cause: failure });
  expect(() => there.put('a', { n: 1 })).toThrow(failed);
  expect(() => there.putRaw('a', Buffer.from('{"n":1}'))).toThrow(failed);
  there.put('b', { n: 2 });
  await there.close();
  expect(there.count).toBe(1);
});

it('sets aside what a schema makes too deep', async () => {
  const deep = JSON.parse(`${'{"a":'.repeat(600)}1${'}'.repeat(600)}`) as Document;
  const validate = (value: unknown) => ({ value: (value as Document).n === 1 ? deep : {} });
  const deepens: StandardSchema = { '~standard': { version: 1, vendor: 'test', validate } };
  const source = fromIterable([0, 1, 2].map((n) => ({ _id: `d${n}`, n })));
  const options = { name: 'load', source, sink: store({ schema: deepens }) };
  expect(await run({ ...options, onError: 'skip' })).toMatchObject({ written: 2, rejected: 1 });
});

it('a function that aborts its run and then fails leaves no rejection unheard', async () => {
  const running: RunHandle<unknown> = run({
    name: 'load',
    source: fromIterable([{ n: 1 }, { n: 2 }]),
    transforms: [
      mapTransform(async () => {
        running.abort('enough');
        throw failure;
      }),
    ],
    sink: probeSink(),
  });
  // An unhandled rejection would fail the tests.
  await expect(running).rejects.toMatchObject({ code: 'ABORTED' });
  await sleep(5);
});
