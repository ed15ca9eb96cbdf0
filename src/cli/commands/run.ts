/**
 * `zds run`: a pipeline file, once or again whenever it or its input changes. `--dry-run` passes a
 * sample through source and transforms and shows what comes out; the sink is not opened.
 */
import { EtlError } from '../../core/errors.ts';
import type { Source } from '../../core/stage.ts';
import { isStandardOutput } from '../../io/own-descriptor.ts';
import { type Logger, type RunHandle, type RunOptions, run } from '../../pipeline/index.ts';
import { type LoadedPipeline, loadPipeline } from '../../pipeline-file/index.ts';
import { type Arguments, type Command, countOption, type Terminal } from '../command.ts';
import { explainError } from '../explain.ts';
import { inputBytes } from '../inputs.ts';
import { limitSource } from '../limit.ts';
import { Look } from '../look.ts';
import { deadLetterOf, keepApart, limitsOf, runHere, runOptions } from '../run-here.ts';
import { describeRun, describeRunJson } from '../run-summary.ts';
import { formatCount, formatDocuments } from '../text.ts';
import { snapshot, untilChanged } from '../watch.ts';

const SAMPLE = 1000;
/** Bad records that a dry run tells of. */
const TOLD = 100;

export const runCommand: Command = {
  name: 'run',
  summary: 'Run a pipeline file: .yaml, .json, .ts, .js or .mjs.',
  usage: 'FILE [--dry-run] [--limit N] [--resume | --reset] [--watch] [--json]',
  positionals: [1, 1],
  options: {
    'dry-run': { help: `show what would be written of the first ${SAMPLE}; write nothing` },
    limit: { short: 'l', value: 'N', help: 'read no more than N documents' },
    resume: { help: 'go on where the run of this name was last committed' },
    reset: { help: 'begin anew, and let transforms forget what earlier runs taught them' },
    watch: { help: 'run again when the file or its input changes' },
    ...runOptions,
    json: { help: 'print the summary as one JSON object' },
  },
  whenStopped: () => 'the output was given up',
  async run(args, terminal) {
    if (args.flag('resume') && args.text('limit') !== undefined) {
      const problem = '--limit is for trying out and keeps no position; leave out --resume';
      throw new EtlError('INVALID_ARGUMENT', problem);
    }
    if (args.flag('resume') && args.flag('reset')) {
      throw new EtlError('INVALID_ARGUMENT', 'either --resume or --reset');
    }
    if (args.flag('dry-run') && (args.flag('resume') || args.flag('reset'))) {
      const problem =
        '--dry-run begins at the front and keeps nothing; leave out --resume and --reset';
      throw new EtlError('INVALID_ARGUMENT', problem);
    }
    const work = args.flag('dry-run') ? dryRun : runOnce;
    return args.flag('watch') ? watch(args, terminal, work) : attempt(args, work, terminal);
  },
};

type Work = (loaded: LoadedPipeline, args: Arguments, terminal: Terminal) => Promise<number>;

/** Loads, works, closes. Errors: those of the file and the run. */
async function attempt(
  args: Arguments,
  work: Work,
  terminal: Terminal,
  onLoaded: (loaded: LoadedPipeline) => Promise<void> = async () => {},
): Promise<number> {
  const loaded = await loadPipeline(args.positionals[0]!);
  try {
    await onLoaded(loaded);
    return await work(loaded, args, terminal);
  } finally {
    await loaded.close();
  }
}

/** Where the source reads from, as far as the file says so. */
function inputsOf({ data }: LoadedPipeline): readonly string[] {
  const path = data?.source.options.path ?? [];
  return typeof path === 'string' ? [path] : (path as readonly string[]);
}

async function runOnce(loaded: LoadedPipeline, args: Arguments, terminal: Terminal) {
  const { options, data } = loaded;
  const limit = countOption(args, 'limit');
  const source = contractOf(options.source);
  // What is tried out must not move the position that the run of this name goes on from.
  const part =
    limit === undefined
      ? {}
      : { name: `${options.name} --limit`, source: limitSource(source, limit), resume: false };
  const begin = {
    ...(args.flag('resume') ? { resume: true } : {}),
    ...(args.flag('reset') ? { resume: false, reset: true } : {}),
  };
  const given = { ...options, ...begin, ...part };
  const total =
    data?.source.type === 'jsonl'
      ? await inputBytes(inputsOf(loaded), deadLetterOf(options.onError), given.resume)
      : undefined;
  const { type, options: place = {} } = data?.sink ?? {};
  const outputs = outputsOf(data?.sink);
  for (const path of outputs) await keepApart(options.onError, path, 'written');
  const store =
    type === 'zds' ? { path: String(place.root), collection: String(place.collection) } : undefined;
  const start = (logger: Logger) => run({ logger, ...given, ...limitsOf(args) });
  const summary = await runHere(start, { label: options.name, total, args, terminal, store });
  const text = args.flag('json') ? `${describeRunJson(summary)}\n` : describeRun(summary);
  if (outputs.some(isStandardOutput)) terminal.stderr.write(text);
  else await terminal.stdout.write(text);
  return summary.outcome === 'done' ? 0 : 130;
}

/** Bad records do not end it, but it reads on behind no more than `SAMPLE` of them. */
async function dryRun({ options }: LoadedPipeline, args: Arguments, terminal: Terminal) {
  const { stdout } = terminal;
  const look = new Look();
  const rejects: string[] = [];
  const source = limitSource(contractOf(options.source), countOption(args, 'limit') ?? SAMPLE);
  const { maxErrors: _, ...rest } = options;
  let bad = 0;
  let running: RunHandle<undefined> | undefined;
  const dry: RunOptions<undefined> = {
    ...rest,
    ...limitsOf(args),
    name: `${options.name} --dry-run`,
    source,
    sink: look.asSink(),
    resume: false,
    onError: ({ place, code, reason }) => {
      // The batch that they were found beside comes first.
      if (++bad === SAMPLE) setImmediate(() => running?.stop());
      if (bad > TOLD) return;
      rejects.push(new EtlError(code, `${code}: ${reason}`, { place }).message);
    },
  };
  const place = { label: 'dry run', total: undefined, args, terminal };
  const { read, written, filtered, rejected, outcome } = await runHere((logger) => {
    running = run({ logger, ...dry });
    return running;
  }, place);
  if (args.flag('json')) {
    const fields = look.fields();
    const summary = { read, written, filtered, rejected, rejects, fields, documents: look.first };
    await stdout.write(`${JSON.stringify(summary)}\n`);
  } else {
    await look.print(stdout);
    await stdout.write(
      `\n${formatDocuments(written)} of ${formatCount(read)} read would be written\n`,
    );
    if (rejected > 0)
      await stdout.write(`${formatCount(rejected)} bad; the first: ${rejects[0]}\n`);
  }
  return outcome === 'done' || bad >= SAMPLE ? 0 : 130;
}

/** Where a sink, and those that it hands on to, write to. */
function outputsOf(sink: unknown): string[] {
  if (typeof sink !== 'object' || sink === null) return [];
  const { path } = sink as { path?: unknown };
  const under = Object.values(sink).flatMap(outputsOf);
  return typeof path === 'string' ? [path, ...under] : under;
}

function contractOf(source: RunOptions['source']): Source {
  return 'source' in source ? source.source : source;
}

/** Failures are shown and waited out: the next change may mend them. Ends by Ctrl-C only. */
async function watch(args: Arguments, terminal: Terminal, work: Work): Promise<number> {
  const { stderr, interrupt } = terminal;
  const file = args.positionals[0]!;
  let inputs: readonly string[] = [file];
  for (;;) {
    const before = { file: await snapshot([file]), all: '' };
    let rejects: string | undefined;
    const look = () => snapshot(inputs, rejects);
    before.all = await look();
    try {
      await attempt(args, work, terminal, async (loaded) => {
        inputs = [file, ...inputsOf(loaded)];
        rejects = deadLetterOf(loaded.options.onError);
        // What was changed while it was being loaded is a change.
        before.all = (await snapshot([file])) === before.file ? await look() : '';
      });
    } catch (error) {
      stderr.write(explainError(error, args.flag('debug')));
    }
    if (interrupt.requested) return 130;
    stderr.write(`waiting for changes of ${inputs.join(', ')}; Ctrl-C ends\n`);
    if (!(await untilChanged(look, before.all, interrupt))) return 130;
  }
}
