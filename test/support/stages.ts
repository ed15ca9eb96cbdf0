/** Sources and sinks for tests: they count, wait and fail as told. */
import { mkdtempSync, readdirSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { Batch, type Document } from '../../src/core/batch.ts';
import type { Sink, Source, Transform } from '../../src/core/stage.ts';
import { sharedKernel } from '../../src/kernels/index.ts';
import { SinkStream } from '../../src/streams/sink-stream.ts';
import { SourceStream } from '../../src/streams/source-stream.ts';
import { afterTest } from './after-test.ts';

export { sleep };

/** Batches of lines; `open` and `closed` tell the source's life. */
export interface ProbeSource extends Source {
  pulled: number;
  opened: number;
  closed: number;
}

/** `batches` batches of `each` documents `{ n }`, then `error` if given. */
export function probeSource(
  batches: number,
  each: number,
  options: { error?: Error; payload?: string; delayMs?: number } = {},
): ProbeSource {
  const source: ProbeSource = {
    name: 'probe',
    pulled: 0,
    opened: 0,
    closed: 0,
    async *batches(signal) {
      source.opened++;
      try {
        for (let b = 0; b < batches; b++) {
          if (options.delayMs) await sleep(options.delayMs, undefined, { signal });
          source.pulled++;
          yield linesBatch(
            Array.from({ length: each }, (_, i) => ({
              n: b * each + i,
              ...(options.payload ? { payload: options.payload } : {}),
            })),
            b * each,
          );
        }
        if (options.error) throw options.error;
      } finally {
        source.closed++;
      }
    },
  };
  return source;
}

/** A batch that exists as bytes only. */
export function linesBatch(documents: readonly Document[], ordinal = 0): Batch {
  const { codec } = sharedKernel();
  return Batch.fromLines(codec.encode(documents), codec, { ordinal });
}

export function probeStream(...args: Parameters<typeof probeSource>): SourceStream {
  return new SourceStream(probeSource(...args));
}

export interface ProbeSink extends Sink<number> {
  events: string[];
  documents: Document[];
  batches: Batch[];
}

export function probeSink(
  options: { delayMs?: number; failAt?: number; error?: Error; finishError?: Error } = {},
): ProbeSink {
  const sink: ProbeSink = {
    name: 'probe',
    wants: { objects: true },
    events: [],
    documents: [],
    batches: [],
    async open() {
      sink.events.push('open');
    },
    async write(batch) {
      if (options.delayMs) await sleep(options.delayMs);
      if (sink.batches.length === options.failAt) throw options.error;
      sink.batches.push(batch);
      sink.documents.push(...batch.documents());
    },
    async finish() {
      sink.events.push('finish');
      if (options.finishError) throw options.finishError;
      return sink.documents.length;
    },
    async abort() {
      sink.events.push('abort');
    },
  };
  return sink;
}

export function sinkStream(sink: Sink<number>): SinkStream<number> {
  return new SinkStream(sink, sharedKernel().codec);
}

/** `pipeline` over stages of any kind; its own types want each kind in its place. */
export function runStages(stages: readonly unknown[]): Promise<void> {
  return pipeline(stages as readonly NodeJS.ReadWriteStream[]);
}

export function numbers(count: number): Document[] {
  return Array.from({ length: count }, (_, n) => ({ n }));
}

/** Open descriptors of this process, or those of files below a folder, deleted ones too. */
export function openDescriptors(folder?: string): number {
  const all = readdirSync('/proc/self/fd');
  if (folder === undefined) return all.length;
  return all.filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).startsWith(`${folder}/`);
    } catch {
      return false;
    }
  }).length;
}

/** A folder of its own for each call, removed after the test. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'zds-stream-'));
  afterTest(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Passes everything on until that many documents have come. */
export function fuse(blowAt: number = Number.POSITIVE_INFINITY): Transform {
  let count = 0;
  return {
    name: 'fuse',
    apply(batch) {
      count += batch.length;
      if (count >= blowAt) throw new Error('broken off');
      return [batch];
    },
  };
}
