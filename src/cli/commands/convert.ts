/**
 * `zds convert`: from any format to any other; a run without a file. Where the output has columns and
 * the input can be read twice, it is: once for the fields of every document, so that no late one is
 * lost or stops the work.
 */
import { stat } from 'node:fs/promises';
import { EtlError } from '../../core/errors.ts';
import type { Sink, Source, Transform, Wants } from '../../core/stage.ts';
import { ioStep } from '../../io/file-reader.ts';
import { isStandardOutput } from '../../io/own-descriptor.ts';
import { type FieldStats, sharedKernel } from '../../kernels/index.ts';
import { type Logger, type RunOnError, run } from '../../pipeline/index.ts';
import { stageTypes } from '../../pipeline-file/index.ts';
import { isFile } from '../../sinks/text-target.ts';
import { filterTransform, projectTransform } from '../../transforms/index.ts';
import type { Arguments, Command, Terminal } from '../command.ts';
import { type Format, formatOf } from '../formats.ts';
import { idOptions, idsOf } from '../ids.ts';
import { inputBytes, inputFiles, isStream, sniffCompression } from '../inputs.ts';
import { untilInterrupt } from '../interrupt.ts';
import {
  deadLetterOf,
  keepApart,
  limitsOf,
  onErrorOf,
  rejectOptions,
  runHere,
  runOptions,
} from '../run-here.ts';
import { describeRun, describeRunJson } from '../run-summary.ts';
import { selectionOf } from '../selection.ts';

/** The first batch tells all fields of one file of text that is no longer than this. */
const SMALL = 512 << 10;

export const convertCommand: Command = {
  name: 'convert',
  summary: 'Convert files: jsonl, json, csv, tsv, arrow, parquet; PATH#COLLECTION is a store.',
  usage: 'IN OUT [--where EXPR] [--fields a,b] [--types infer|string] [--from F] [--to F]',
  positionals: [2, 2],
  options: {
    from: { value: 'FORMAT', help: 'the format of IN (default by its ending; of - jsonl)' },
    to: { value: 'FORMAT', help: 'the format of OUT (the same)' },
    where: { value: 'EXPR', help: "only these documents: score > 90 and source = 'web'" },
    fields: { value: 'a,b.c', help: 'only these fields' },
    types: { value: 'infer|string', help: 'of CSV columns: found out (default), or all text' },
    ...idOptions,
    ...rejectOptions,
    ...runOptions,
    json: { help: 'print the summary as one JSON object' },
  },
  whenStopped: ({ positionals }) => `${positionals[1]} was not written`,
  async run(args, terminal) {
    const [input, output] = args.positionals as [string, string];
    const { to, ...work } = await prepare(args, terminal);
    // Half a file is of no use; a store keeps what is committed, and a reader is given whole documents.
    const aborts = () => to.type !== 'zds' && work.sink.atomic === true;
    const start = (logger: Logger) =>
      run({ name: `convert ${input}`, logger, ...work, ...limitsOf(args) });
    const total =
      work.from.type === 'jsonl'
        ? await inputBytes([input], deadLetterOf(work.onError))
        : undefined;
    const summary = await runHere(start, { label: 'convert', total, args, terminal, aborts });
    const { stdout, stderr } = terminal;
    const text = args.flag('json') ? `${describeRunJson(summary)}\n` : describeRun(summary);
    if (isStandardOutput(output)) stderr.write(text);
    else await stdout.write(text);
    return summary.outcome === 'done' ? 0 : 130;
  },
};

interface Work {
  readonly from: Format;
  readonly to: Format;
  readonly source: Source;
  readonly transforms: Transform[];
  readonly sink: Sink<unknown>;
  readonly onError: RunOnError;
}

async function prepare(args: Arguments, terminal: Terminal): Promise<Work> {
  const [input, output] = args.positionals as [string, string];
  const from = formatOf(input, args.text('from'), 'source');
  const to = formatOf(output, args.text('to'), 'sink');
  if (output === '-' && to.type === 'parquet') {
    throw new EtlError('INVALID_ARGUMENT', '--to parquet takes a file, not -');
  }
  const { where, select } = selectionOf(args);
  const isOneFile = await ioStep(output, 'cannot be written', async () => isFile(output));
  const beside = isOneFile ? output.replace('#', '.') : 'convert';
  const onError = onErrorOf(args, `${beside}.rejects.jsonl`);
  const rejects = deadLetterOf(onError);
  await keepApart(onError, output, 'written');
  const makeTransforms = () => [
    ...(where ? [filterTransform(where)] : []),
    ...(select ? [projectTransform(select)] : []),
  ];
  const makeSource = () => makeFrom(from, args, terminal);
  const sameColumns = from.type === 'csv' && to.type === 'csv';
  const columnar = ['csv', 'arrow', 'parquet'].includes(to.type);
  const again = columnar && !sameColumns && (await isLarge(input, from.type, rejects));
  const wants = onError === 'stop' ? {} : { onReject: () => {}, rejects };
  const fields = again
    ? await fieldsOf(await makeSource(), makeTransforms(), wants, terminal)
    : undefined;
  const target = output === '-' ? { path: terminal.stdout.stream } : {};
  const options = {
    ...to.options,
    ...(to.type === 'zds' ? idsOf(args) : target),
    ...(fields ? await columnsFor(to, fields) : {}),
  };
  const sink = bare(await stageTypes.sink[to.type]!.make(options, scope), 'sink') as Sink<unknown>;
  return { from, to, source: await makeSource(), transforms: makeTransforms(), sink, onError };
}

/** What says in a sink's options which columns there are. */
async function columnsFor({ type }: Format, fields: readonly FieldStats[]): Promise<object> {
  if (type === 'csv') return { columns: fields.map(({ path }) => path[0]) };
  const { inferSchema } = await import('../../arrow/infer.ts');
  return { schema: inferSchema(fields).columns };
}

const scope = { defer: () => {} };

async function makeFrom(from: Format, args: Arguments, { stdin }: Terminal): Promise<Source> {
  const types = args.text('types');
  if (types !== undefined && (from.type !== 'csv' || !['infer', 'string'].includes(types))) {
    throw new EtlError('INVALID_ARGUMENT', '--types takes infer or string, and is for CSV');
  }
  const options = {
    ...from.options,
    ...(from.options.path === '-' ? { path: stdin } : {}),
    ...(types === undefined ? {} : { types }),
  };
  return bare(await stageTypes.source[from.type]!.make(options, scope), 'source') as Source;
}

/** The contract of a stage, whichever form it comes in. */
function bare(stage: unknown, kind: 'source' | 'sink'): unknown {
  const stream = stage as Record<string, unknown>;
  return stream[kind] ?? stage;
}

/** Whether there is more of it than a first look takes in, and it can be read twice. */
async function isLarge(input: string, type: string, rejects: string | undefined): Promise<boolean> {
  if (isStream(input)) return false;
  if (type === 'zds') return true;
  const [file, ...more] = await inputFiles([input], rejects);
  if (more.length > 0) return true;
  const found = await stat(file!);
  if (!found.isFile()) return false;
  if (!['jsonl', 'json', 'csv'].includes(type) || found.size > SMALL) return true;
  return (await sniffCompression(file!)) !== 'none';
}

/** The fields of everything that will be written. Undefined after Ctrl-C. */
async function fieldsOf(
  source: Source,
  transforms: readonly Transform[],
  wants: Pick<Wants, 'onReject' | 'rejects'>,
  { interrupt }: Terminal,
): Promise<readonly FieldStats[] | undefined> {
  const observer = sharedKernel().observer();
  const { signal } = new AbortController();
  for await (const batch of untilInterrupt(source.batches(signal, wants), interrupt)) {
    let batches = [batch];
    for (const transform of transforms) {
      const made = await Promise.all(
        batches.map((each) => transform.apply(each, signal, wants.onReject)),
      );
      batches = made.flatMap((each) => [...(each as Iterable<typeof batch>)]);
    }
    for (const each of batches) observer.observe(each.bytes());
  }
  return interrupt.requested ? undefined : observer.fields();
}
