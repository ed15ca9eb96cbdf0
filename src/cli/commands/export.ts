/**
 * `zds export`: a collection, or part of it, to JSON Lines or Arrow. A file appears under its name
 * only when it is whole; after Ctrl-C or an error there is none. For Arrow the collection is read
 * twice: once for a schema that covers every document, so that no late field is lost.
 */

import type { KnownFields } from '../../arrow/fields-offer.ts';
import { EtlError, isEtlError } from '../../core/errors.ts';
import type { RunInfo } from '../../core/run-info.ts';
import type { Sink } from '../../core/stage.ts';
import { isStandardOutput } from '../../io/own-descriptor.ts';
import type { FieldStats } from '../../kernels/index.ts';
import { sharedKernel } from '../../kernels/index.ts';
import { createJsonlSink } from '../../sinks/jsonl-sink.ts';
import { openCollection } from '../../store/open-reading.ts';
import type { Scan } from '../../store/scan.ts';
import { type Arguments, type Command, collectionOption, type Terminal } from '../command.ts';
import { untilInterrupt } from '../interrupt.ts';
import { Progress } from '../progress.ts';
import { selectionOf } from '../selection.ts';
import { formatDocuments, formatRate, formatSeconds, formatSize } from '../text.ts';

interface Written {
  readonly documents: number;
  readonly bytesWritten: number;
}

export const exportCommand: Command = {
  name: 'export',
  summary:
    'Write a collection to .jsonl, .jsonl.gz (.br, .zst), .arrow or .arrows; - is JSON Lines.',
  usage: 'PATH -c NAME --to FILE|- [--where EXPR] [--fields a,b] [--json]',
  positionals: [1, 1],
  options: {
    collection: collectionOption,
    to: { value: 'FILE', help: 'the file to write; its ending says the format' },
    where: { value: 'EXPR', help: "only these documents: score > 90 and source = 'web'" },
    fields: { value: 'a,b.c', help: 'only these fields' },
    json: { help: 'print the summary as one JSON object' },
  },
  required: ['collection', 'to'],
  async run(args, terminal) {
    const to = args.text('to')!;
    const format = formatOf(to);
    const selection = selectionOf(args);
    const store = await openCollection(args.positionals[0]!, args.text('collection')!);
    try {
      const scan = store.scan(selection);
      const sink =
        format === 'jsonl'
          ? createJsonlSink(to === '-' ? terminal.stdout.stream : to)
          : await arrowSink(to, () => ({
              fields: observeFields(scan, terminal),
              holds: () => true,
            }));
      const progress = new Progress(terminal.stderr, 'export', undefined);
      const summary = await pump(scan, sink, progress, terminal);
      progress.clear();
      if (!summary) return stopped(terminal, to, sink);
      if (!terminal.stdout.closed) await report(args, terminal, summary, to, progress.seconds);
    } finally {
      await store.close();
    }
    return 0;
  },
};

function formatOf(to: string): 'jsonl' | 'arrow' {
  if (/\.(arrow|arrows|feather)$/i.test(to)) return 'arrow';
  if (to === '-' || /\.(jsonl|ndjson)(\.(gz|br|zst))?$/i.test(to)) return 'jsonl';
  throw new EtlError(
    'INVALID_ARGUMENT',
    `--to takes a name ending in .jsonl, .jsonl.gz, .arrow or .arrows, or -; not ${to}`,
  );
}

async function arrowSink(to: string, askKnown: () => KnownFields): Promise<Sink<Written>> {
  const { createArrowSink } = await import('../../sinks/arrow-sink.ts');
  return createArrowSink(to, {}, askKnown);
}

/** The fields of everything that will be written. Undefined after Ctrl-C. */
async function observeFields(
  scan: Scan<object>,
  { interrupt }: Terminal,
): Promise<readonly FieldStats[] | undefined> {
  const observer = sharedKernel().observer();
  for await (const batch of untilInterrupt(scan.batches(), interrupt))
    observer.observe(batch.bytes());
  return interrupt.requested ? undefined : observer.fields();
}

/** What a sink hears beside the wish to stop: nothing is committed, and nothing limits its memory. */
const RUN: Omit<RunInfo, 'stopping'> = {
  name: 'export',
  loadId: '',
  maxMemory: Number.POSITIVE_INFINITY,
  beforeCommit: () => {},
};

/** Everything into the sink. Undefined when it was stopped; the sink is aborted then. */
async function pump(
  scan: Scan<object>,
  sink: Sink<Written>,
  progress: Progress,
  { interrupt, stdout }: Terminal,
): Promise<Written | undefined> {
  const { signal } = new AbortController();
  const { signal: stopping } = interrupt;
  try {
    await sink.open(signal, { ...RUN, stopping });
    for await (const batch of untilInterrupt(scan.batches(), interrupt)) {
      await sink.write(batch);
      progress.add(batch.length, batch.byteLength);
      if (stdout.closed) break;
    }
    if (!interrupt.requested) return await sink.finish();
  } catch (error) {
    progress.clear();
    await sink.abort(error);
    if (interrupt.requested && isEtlError(error, 'ABORTED')) return undefined;
    throw error;
  }
  await sink.abort(new EtlError('ABORTED', 'the export was stopped'));
  return undefined;
}

function stopped({ stderr }: Terminal, to: string, { atomic }: Sink<Written>): number {
  // A pipe may have been read by somebody.
  stderr.write(`stopped; ${to} was not written${atomic ? '' : ' to its end'}\n`);
  return 130;
}

/** On standard error when the data itself goes to standard output. */
async function report(
  args: Arguments,
  { stdout, stderr }: Terminal,
  { documents, bytesWritten }: Written,
  to: string,
  seconds: number,
): Promise<void> {
  const perSecond = documents / seconds;
  const line = args.flag('json')
    ? JSON.stringify({
        to,
        documents,
        bytes: bytesWritten,
        seconds: Number(seconds.toFixed(3)),
        documentsPerSecond: Math.round(perSecond),
      })
    : `${formatDocuments(documents)} to ${to}: ${formatSize(bytesWritten)} in ` +
      `${formatSeconds(seconds)} (${formatRate(perSecond)})`;
  if (isStandardOutput(to)) stderr.write(`${line}\n`);
  else await stdout.write(`${line}\n`);
}
