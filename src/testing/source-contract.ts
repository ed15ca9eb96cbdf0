/** What every source does, whatever it reads. */
import assert from 'node:assert/strict';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Document } from '../core/batch.ts';
import type { Sink, Source } from '../core/stage.ts';
import { sharedKernel } from '../kernels/index.ts';
import { SinkStream } from '../streams/sink-stream.ts';
import { SourceStream } from '../streams/source-stream.ts';
import { assertClosed, type CaseInput, type Check, makeCase, openDescriptors } from './check.ts';

export interface SourceCase {
  /** A fresh source, or a stream of one, over the same documents each time. */
  readonly open: (options: { readonly signal?: AbortSignal }) => Source | SourceStream<object>;
  /** What it gives: two or more, in several batches if it can. */
  readonly documents: readonly Document[];
}

/** Cursors that are gone on from, at most. */
const MAX_CURSORS = 12;

/**
 * The checks that a source has to pass. A function is asked for a fresh case before each.
 *
 * ```ts
 * for (const { name, run } of sourceContract({ open: () => mySource(), documents })) test(name, run);
 * ```
 */
export function sourceContract(input: CaseInput<SourceCase>): Check[] {
  const check = (name: string, run: (given: OpenCase) => Promise<void>): Check => ({
    name,
    run: async () => run(openCase(await makeCase(input))),
  });
  return [
    check('gives the same documents in every form', everyForm),
    check(
      'opens nothing before it is read, and closes all it has opened, wherever it is left',
      closes,
    ),
    check('stops with ABORTED and the reason, before and while it is read', aborts),
    check('gives true ordinals for places', ordinals),
    check('goes on from every cursor it gives, once that has been through JSON', cursors),
  ];
}

interface OpenCase {
  readonly open: (options?: { signal?: AbortSignal }) => SourceStream<object>;
  readonly documents: readonly Document[];
}

function openCase({ open, documents }: SourceCase): OpenCase {
  return {
    documents,
    open: (options = {}) => {
      const made = open(options);
      return made instanceof SourceStream ? made : new SourceStream<object>(made, options);
    },
  };
}

async function everyForm({ open, documents }: OpenCase): Promise<void> {
  const expect = (form: string, found: unknown[]): void =>
    assert.deepStrictEqual(found, [...documents], `as ${form}`);
  const found: unknown[] = [];
  for await (const document of open()) found.push(document);
  expect('an iterable of documents', found.splice(0));
  for await (const batch of open().batches()) found.push(...batch.documents());
  expect('batches', found.splice(0));
  for await (const document of open().toWeb()) found.push(document);
  expect('a Web stream', found.splice(0));
  await pipeline(open(), collector(found));
  expect('a pipeline into a sink', found.splice(0));
  const stranger = new Transform({
    objectMode: true,
    transform: (chunk, _, callback) => callback(null, chunk),
  });
  await pipeline(open(), stranger, collector(found));
  expect('a pipeline through a foreign stream', found.splice(0));
}

async function closes({ open }: OpenCase): Promise<void> {
  // What a process opens once and keeps, it may open here.
  for await (const _ of open()) break;
  const before = openDescriptors();
  const unread = open();
  assert.equal(openDescriptors(), before, 'opened before the first read');
  for await (const _ of open()) break;
  for await (const _ of open().batches()) break;
  const stream = open();
  stream.on('data', () => {});
  await sleep(2);
  await stream[Symbol.asyncDispose]();
  await unread[Symbol.asyncDispose]();
  for await (const _ of open());
  await assertClosed(before);
}

async function aborts({ open }: OpenCase): Promise<void> {
  const reason = new Error('the reason');
  const isStopped = (error: unknown): boolean => {
    const { code, cause } = error as { code?: string; cause?: unknown };
    assert.equal(code, 'ABORTED');
    assert.equal(cause, reason);
    return true;
  };
  const before = openDescriptors();
  await assert.rejects(async () => {
    for await (const _ of open({ signal: AbortSignal.abort(reason) }));
  }, isStopped);
  const controller = new AbortController();
  await assert.rejects(
    async () => {
      for await (const _ of open({ signal: controller.signal }).batches()) controller.abort(reason);
      // It may have had one batch only; then there was nothing left to stop.
      controller.signal.throwIfAborted();
    },
    (error) => error === reason || isStopped(error),
  );
  await assertClosed(before);
}

async function ordinals({ open, documents }: OpenCase): Promise<void> {
  let ordinal = 0;
  for await (const batch of open().batches()) {
    for (let i = 0; i < batch.length; i++, ordinal++) {
      const known = batch.place(i).ordinal;
      if (known !== undefined) assert.equal(known, ordinal);
    }
  }
  assert.equal(ordinal, documents.length);
}

async function cursors({ open, documents }: OpenCase): Promise<void> {
  const { signal } = new AbortController();
  const given: { cursor: string; after: number }[] = [];
  let after = 0;
  for await (const batch of open().source.batches(signal, {})) {
    after += batch.length;
    if (batch.cursor !== undefined) given.push({ cursor: JSON.stringify(batch.cursor), after });
  }
  const step = Math.ceil(given.length / MAX_CURSORS) || 1;
  const last = given.length - 1;
  for (const { cursor, after } of given.filter((_, i) => i % step === 0 || i === last)) {
    const rest: unknown[] = [];
    for await (const batch of open().source.batches(signal, {}, JSON.parse(cursor))) {
      rest.push(...batch.documents());
    }
    assert.deepStrictEqual(rest, documents.slice(after), `from ${cursor}`);
  }
}

function collector(found: unknown[]): SinkStream<number> {
  const sink: Sink<number> = {
    name: 'collector',
    open: async () => {},
    async write(batch) {
      found.push(...batch.documents());
    },
    finish: async () => found.length,
    abort: async () => {},
  };
  return new SinkStream(sink, sharedKernel().codec);
}
