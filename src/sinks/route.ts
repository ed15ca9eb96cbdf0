/** Every document to one of several sinks. */
import type { Batch, Document } from '../core/batch.ts';
import { functionFailed } from '../core/errors.ts';
import { refusePromise } from '../core/is-promise.ts';
import { type PathInput, parsePath } from '../core/path.ts';
import { type OnReject, type Reject, rejectDocument } from '../core/reject.ts';
import type { Sink } from '../core/stage.ts';
import { sharedKernel } from '../kernels/index.ts';
import { SinkStream } from '../streams/sink-stream.ts';
import { KeyReader, scalarText } from '../transforms/key-reader.ts';
import { type AnySink, SinkGroup } from './any-sink.ts';

export interface RouteOptions<Sinks extends { readonly [name: string]: AnySink }> {
  /** The path of the value that names the sink, or a function that names it. */
  readonly by: PathInput | ((document: Document) => string | undefined);
  readonly to: Sinks;
  /** Takes documents that no sink is named for: a sink, or 'drop'. Absent: they are rejected. */
  readonly otherwise?: AnySink | 'drop';
}

export interface RouteSummary<Summaries> {
  /** Documents that the sinks were given and have not rejected. */
  readonly documents: number;
  /** Documents dropped. */
  readonly filtered: number;
  readonly sinks: Summaries;
  /** What the sink for all others says. */
  readonly otherwise?: unknown;
}

type SummariesOf<Sinks> = {
  -readonly [N in keyof Sinks]: Sinks[N] extends AnySink<infer Summary> ? Summary : never;
};

/**
 * Sinks are written to at the same time, at the pace of the slowest; a failure of one gives up all, and so
 * does the stop of a run where one of them is `atomic`.
 * All are opened and finished, also those that nothing came for. The order of documents is kept in
 * each sink. By path no objects are made.
 * Errors: those of the sinks, the first to come. Rejects: those of the sinks, INVALID_DOCUMENT for
 * what has no sink, FUNCTION_FAILED for what `by` throws for.
 */
export function route<const Sinks extends { readonly [name: string]: AnySink }>(
  options: RouteOptions<Sinks>,
): SinkStream<RouteSummary<SummariesOf<Sinks>>> {
  return new SinkStream(createRoute(options), sharedKernel().codec);
}

/** The same without the stream around it. */
export function createRoute<const Sinks extends { readonly [name: string]: AnySink }>(
  options: RouteOptions<Sinks>,
): Sink<RouteSummary<SummariesOf<Sinks>>> {
  const { to, otherwise } = options;
  const names = Object.keys(to);
  const rest = otherwise === 'drop' ? undefined : otherwise;
  const group = new SinkGroup([...Object.values(to), ...(rest ? [rest] : [])]);
  const indexes = new Map(names.map((name, index) => [name, index]));
  const nameAll = createNamer(options.by);
  let documents = 0;
  let filtered = 0;

  /** Per sink, the ordinals of its documents. */
  const divide = (batch: Batch, onReject: OnReject | undefined): number[][] => {
    const divided: number[][] = group.sinks.map(() => []);
    nameAll(batch, onReject, (ordinal, name) => {
      const index = (name === undefined ? undefined : indexes.get(name)) ?? names.length;
      if (divided[index]) divided[index].push(ordinal);
      else if (otherwise === 'drop') filtered++;
      else {
        const reason = `route: there is no sink for ${name === undefined ? 'it' : JSON.stringify(name)}`;
        rejectDocument(batch, ordinal, { code: 'INVALID_DOCUMENT', reason }, onReject);
      }
    });
    return divided;
  };
  return {
    name: 'route',
    get atomic() {
      return group.atomic;
    },
    get satisfied() {
      return group.satisfied;
    },
    open(signal, run) {
      documents = 0;
      filtered = 0;
      return group.open(signal, run);
    },
    async write(batch, onReject) {
      const divided = divide(batch, onReject);
      const take =
        onReject &&
        ((reject: Reject): void => {
          documents--;
          onReject(reject);
        });
      await group.each(async (sink, index) => {
        const chosen = divided[index]!;
        if (chosen.length === 0 || sink.satisfied) return;
        await sink.write(chosen.length === batch.length ? batch : batch.pick(chosen), take);
      });
      for (const chosen of divided) documents += chosen.length;
    },
    async finish(run) {
      const summaries = await group.finish(run);
      const sinks = Object.fromEntries(names.map((name, index) => [name, summaries[index]]));
      return {
        documents,
        filtered,
        sinks: sinks as SummariesOf<Sinks>,
        ...(rest ? { otherwise: summaries[names.length] } : {}),
      };
    },
    abort: (reason, run) => group.abort(reason, run),
  };
}

type Namer = (
  batch: Batch,
  onReject: OnReject | undefined,
  take: (ordinal: number, name: string | undefined) => void,
) => void;

function createNamer(by: PathInput | ((document: Document) => string | undefined)): Namer {
  if (typeof by === 'function') {
    return (batch, onReject, take) => {
      for (const [ordinal, document] of batch.documents().entries()) {
        let name: string | undefined;
        try {
          name = by(document);
        } catch (cause) {
          rejectDocument(batch, ordinal, functionFailed(cause), onReject);
          continue;
        }
        take(ordinal, refusePromise('route: the function that names sinks', name));
      }
    };
  }
  const reader = new KeyReader([parsePath(by)]);
  return (batch, onReject, take) =>
    reader.read(batch, onReject, (ordinal, [value]) => take(ordinal, value && scalarText(value)));
}
