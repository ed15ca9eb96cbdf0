/**
 * `zds ingest`: JSON Lines into a collection, as bytes from file to file; a run (`src/pipeline`) with
 * arguments and words around it.
 *
 * Every `--commit-bytes` of documents are committed together with the place in the input that they
 * reach, which `--resume` goes on from. Bad records end the run (nothing after the last commit is
 * kept), are passed over, or go to the dead-letter file; read = stored + rejected. Ctrl-C commits what
 * is in hand and says where it stopped.
 */
import { basename, dirname, join, resolve } from 'node:path';
import type { LineCursor } from '../../formats/index.ts';
import { type Logger, type RunOnError, type RunSummary, run } from '../../pipeline/index.ts';
import { type ZdsSinkSummary, zdsSink } from '../../sinks/zds-sink.ts';
import { jsonlSource } from '../../sources/jsonl-source.ts';
import type { IdOptions } from '../../store/index.ts';
import { type Arguments, bytesOption, type Command, collectionOption } from '../command.ts';
import { idOptions, idsOf } from '../ids.ts';
import { inputBytes } from '../inputs.ts';
import {
  deadLetterOf,
  limitsOf,
  onErrorOf,
  rejectOptions,
  runHere,
  runOptions,
} from '../run-here.ts';
import { formatCount, formatDocuments, formatRate, formatSeconds, formatSize } from '../text.ts';

export const ingestCommand: Command = {
  name: 'ingest',
  summary: 'Read JSON Lines into a collection. Files may be patterns, URLs, .gz, .br or .zst.',
  usage: 'PATH -c NAME [FILE…|-] [--id-field F] [--on-error stop|skip|dead-letter] [--json]',
  positionals: [1, Number.POSITIVE_INFINITY],
  options: {
    collection: collectionOption,
    ...idOptions,
    ...rejectOptions,
    'batch-bytes': { value: 'SIZE', help: 'read this much at a time (default 1MiB)' },
    'commit-bytes': { value: 'SIZE', help: 'commit this often (default 32MiB)' },
    'max-line-bytes': { value: 'SIZE', help: 'longest line accepted (default 16MiB)' },
    name: { value: 'NAME', help: 'the name that --resume finds the run by (default ingest)' },
    resume: { help: 'go on where the run of this name was last committed' },
    ...runOptions,
    json: { help: 'print the summary as one JSON object' },
  },
  required: ['collection'],
  async run(args, terminal) {
    const job = readJob(args);
    const { batchBytes, maxLineBytes } = job;
    const resume = args.flag('resume');
    const total = await inputBytes(job.inputs, deadLetterOf(job.onError), resume);
    const start = (logger: Logger) =>
      run({
        logger,
        name: args.text('name') ?? 'ingest',
        source: jsonlSource(job.inputs, {
          ...(batchBytes === undefined ? {} : { batchBytes }),
          ...(maxLineBytes === undefined ? {} : { maxLineBytes }),
        }),
        sink: zdsSink(job.path, job.collection, { ...job.ids, commitBytes: job.commitBytes }),
        resume,
        onError: job.onError,
        ...limitsOf(args),
      });
    const place = { label: 'ingest', total, args, terminal, store: job };
    const summary = (await runHere(start, place)) as Summary;
    const { stdout, stderr } = terminal;
    await stdout.write(args.flag('json') ? `${describeJson(summary)}\n` : describe(summary));
    if (summary.outcome === 'done') return 0;
    stderr.write(`${describeStop(summary)}\n`);
    return 130;
  },
};

interface Job {
  readonly path: string;
  readonly collection: string;
  readonly inputs: readonly string[];
  readonly ids: IdOptions;
  readonly onError: RunOnError;
  readonly batchBytes: number | undefined;
  readonly commitBytes: number | undefined;
  readonly maxLineBytes: number | undefined;
}

/** Documents are merged: a stop has a summary of the sink too. */
type Summary = RunSummary<ZdsSinkSummary> & { readonly sink: ZdsSinkSummary };

function readJob(args: Arguments): Job {
  const [path, ...files] = args.positionals as [string, ...string[]];
  const collection = args.text('collection')!;
  const beside = join(dirname(resolve(path)), `${basename(collection)}.rejects.jsonl`);
  return {
    path,
    collection,
    inputs: files.length > 0 ? files : ['-'],
    ids: idsOf(args),
    onError: onErrorOf(args, beside),
    batchBytes: bytesOption(args, 'batch-bytes'),
    commitBytes: bytesOption(args, 'commit-bytes'),
    maxLineBytes: bytesOption(args, 'max-line-bytes'),
  };
}

function describeJson({ sink, seconds, ...summary }: Summary): string {
  return JSON.stringify({
    collection: sink.collection,
    read: summary.read,
    documents: sink.documents,
    replaced: sink.replaced,
    rejected: summary.rejected,
    rejects: summary.deadLetter,
    bytes: summary.bytes,
    commits: sink.commits,
    seconds: Number(seconds.toFixed(3)),
    documentsPerSecond: Math.round(sink.documents / seconds),
    loadId: summary.loadId,
    stopped: summary.outcome === 'stopped' ? (summary.cursor ?? {}) : undefined,
  });
}

function describe({ sink, seconds, bytes, rejected, deadLetter }: Summary): string {
  const rate = formatRate(sink.documents / seconds);
  const lines = [
    `${formatDocuments(sink.documents)} into ${sink.collection}: ` +
      `${formatSize(bytes)} in ${formatSeconds(seconds)} (${rate})`,
  ];
  if (sink.replaced > 0) lines.push(`${formatCount(sink.replaced)} replaced older ones`);
  if (rejected > 0) {
    const where = deadLetter ? `set aside in ${deadLetter}` : 'skipped';
    lines.push(`${formatCount(rejected)} bad ones ${where}`);
  }
  return lines.map((line) => `${line}\n`).join('');
}

function describeStop({ cursor, sink }: Summary): string {
  const { source = 'the input', line = 0 } = (cursor ?? {}) as Partial<LineCursor>;
  const place = line === 0 ? 'before the first document' : `at ${source} line ${line}`;
  return `stopped ${place}; ${formatDocuments(sink.documents)} committed`;
}
