/** What every sink does, whatever it writes to. */
import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { Batch, type Document } from '../core/batch.ts';
import type { Sink } from '../core/stage.ts';
import { sharedKernel } from '../kernels/index.ts';
import { SinkStream } from '../streams/sink-stream.ts';
import { assertClosed, type CaseInput, type Check, makeCase, openDescriptors } from './check.ts';

export interface SinkCase {
  /** A fresh sink, or a stream of one, that takes documents `{ _id, n }`. */
  readonly open: (options: {
    readonly signal?: AbortSignal;
  }) => Sink<unknown> | SinkStream<unknown>;
  /** What it has made durable, read back; undefined while there is nothing. */
  readonly readBack: () => Promise<readonly Document[] | undefined>;
}

/** The checks that a sink has to pass. A function is asked for a fresh case before each. */
export function sinkContract(input: CaseInput<SinkCase>): Check[] {
  const check = (name: string, run: (given: OpenCase) => Promise<void>): Check => ({
    name,
    run: async () => run(openCase(await makeCase(input))),
  });
  return [
    ...Object.entries(FORMS).map(([form, make]) =>
      check(`has all it was given when it has finished: ${form}`, (given) => takes(given, make())),
    ),
    check('keeps the first cause, and lets go of everything', keepsCause),
    check('stops with ABORTED and the reason', aborts),
    check('refuses what is no document', refusesForeign),
  ];
}

const documents = Array.from({ length: 2500 }, (_, n) => ({ _id: `d${n}`, n }));

const FORMS: Readonly<Record<string, () => unknown[]>> = {
  documents: () => documents,
  batches: () => [linesBatch(documents.slice(0, 1200)), linesBatch(documents.slice(1200))],
  both: () => [...documents.slice(0, 7), linesBatch(documents.slice(7))],
};

/** A batch that exists as bytes only. */
function linesBatch(given: readonly Document[]): Batch {
  const { codec } = sharedKernel();
  return Batch.fromLines(codec.encode(given), codec);
}

interface OpenCase {
  readonly open: (options?: { signal?: AbortSignal }) => SinkStream<unknown>;
  readonly readBack: SinkCase['readBack'];
}

function openCase({ open, readBack }: SinkCase): OpenCase {
  return {
    readBack,
    open: (options = {}) => {
      const made = open(options);
      if (made instanceof SinkStream) return made;
      return new SinkStream(made, sharedKernel().codec, options);
    },
  };
}

async function takes({ open, readBack }: OpenCase, chunks: unknown[]): Promise<void> {
  const before = openDescriptors();
  const sink = open();
  await pipeline(Readable.from(chunks), sink);
  const found = await readBack();
  assert.deepStrictEqual(found && [...found], documents);
  assert.notEqual(await sink.summary, undefined, 'a summary');
  await assertClosed(before);
}

async function keepsCause({ open }: OpenCase): Promise<void> {
  const before = openDescriptors();
  const error = new Error('first');
  const isFirst = (thrown: unknown): boolean => thrown === error;
  async function* failing() {
    yield* documents.slice(0, 15);
    throw error;
  }
  const sink = open();
  await assert.rejects(pipeline(Readable.from(failing()), sink), isFirst);
  await assert.rejects(sink.summary, isFirst);
  await assertClosed(before);
}

async function aborts({ open }: OpenCase): Promise<void> {
  const reason = new Error('the reason');
  const controller = new AbortController();
  async function* slowly() {
    for (const document of documents) {
      await sleep(1);
      yield document;
    }
  }
  const sink = open({ signal: controller.signal });
  setTimeout(() => controller.abort(reason), 5);
  await assert.rejects(pipeline(Readable.from(slowly()), sink), (error) => {
    const { code, cause } = error as { code?: string; cause?: unknown };
    return code === 'ABORTED' && cause === reason;
  });
}

async function refusesForeign({ open }: OpenCase): Promise<void> {
  await assert.rejects(pipeline(Readable.from([documents[0], 'text']), open()), (error) => {
    const { code, place } = error as { code?: string; place?: { ordinal?: number } };
    return code === 'INVALID_DOCUMENT' && place?.ordinal === 1;
  });
}
