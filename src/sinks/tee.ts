/** Every document to several sinks. */
import { EtlError } from '../core/errors.ts';
import type { Sink } from '../core/stage.ts';
import { sharedKernel } from '../kernels/index.ts';
import { SinkStream } from '../streams/sink-stream.ts';
import { type AnySink, commonWants, SinkGroup } from './any-sink.ts';

export interface TeeSummary<Summaries> {
  /** Documents that each sink was given. */
  readonly documents: number;
  /** What each says, in their order. */
  readonly sinks: Summaries;
}

type SummariesOf<Sinks extends readonly AnySink[]> = {
  -readonly [I in keyof Sinks]: Sinks[I] extends AnySink<infer Summary> ? Summary : never;
};

/**
 * All sinks get the same batches at the same time, at the pace of the slowest. A failure of one gives
 * up all, and so does the stop of a run where one of them is `atomic`. They finish together, yet not as one: when one fails then, others may have finished. A
 * document that one of them refuses ends the work, since the others have it.
 * Errors: those of the sinks, the first to come.
 */
export function tee<const Sinks extends readonly AnySink[]>(
  ...sinks: Sinks
): SinkStream<TeeSummary<SummariesOf<Sinks>>> {
  return new SinkStream(createTee(sinks), sharedKernel().codec);
}

/** The same without the stream around it. */
export function createTee<const Sinks extends readonly AnySink[]>(
  sinks: Sinks,
): Sink<TeeSummary<SummariesOf<Sinks>>> {
  if (sinks.length === 0) throw new EtlError('INVALID_ARGUMENT', 'tee needs a sink');
  const group = new SinkGroup(sinks);
  let documents = 0;
  return {
    name: 'tee',
    get atomic() {
      return group.atomic;
    },
    wants: commonWants(group.sinks),
    get satisfied() {
      return group.satisfied;
    },
    open(signal, run) {
      documents = 0;
      return group.open(signal, run);
    },
    async write(batch) {
      await group.each(async (sink) => {
        if (!sink.satisfied) await sink.write(batch);
      });
      documents += batch.length;
    },
    async finish(run) {
      return { documents, sinks: (await group.finish(run)) as SummariesOf<Sinks> };
    },
    abort: (reason, run) => group.abort(reason, run),
  };
}
