/**
 * `zds ingest`: JSON Lines into a collection, as bytes from file to file.
 *
 * Every `--commit-bytes` of documents are committed together with the place in the input that they
 * reach. Bad records end the run (nothing after the last commit is kept), are passed over, or go to
 * the dead-letter file; read = stored + rejected. Ctrl-C commits what is in hand and says where it
 * stopped.
 */
import { stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { EtlError } from '../../core/errors.ts';
import { parsePath } from '../../core/path.ts';
import type { Reject } from '../../core/reject.ts';
import type { LineCursor } from '../../formats/index.ts';
import { compressionByName } from '../../io/compress.ts';
import { expandPaths } from '../../io/glob.ts';
import { jsonlSource } from '../../sources/jsonl-source.ts';
import { FastStore, type IdOptions } from '../../store/index.ts';
import { appendBatch } from '../append.ts';
import {
  type Arguments,
  bytesOption,
  type Command,
  collectionOption,
  type Terminal,
} from '../command.ts';
import { untilInterrupt } from '../interrupt.ts';
import { Progress } from '../progress.ts';
import { RejectFile } from '../rejects.ts';
import { formatCount, formatDocuments, formatRate, formatSeconds, formatSize } from '../text.ts';

const DEFAULT_COMMIT_BYTES = 32 << 20;
const POLICIES = ['stop', 'skip', 'dead-letter'];

export const ingestCommand: Command = {
  name: 'ingest',
  summary: 'Read JSON Lines into a collection. Files may be patterns, URLs, .gz, .br or .zst.',
  usage: 'PATH -c NAME [FILE…|-] [--id-field F] [--on-error stop|skip|dead-letter] [--json]',
  positionals: [1, Number.POSITIVE_INFINITY],
  options: {
    collection: collectionOption,
    'id-field': { value: 'FIELD', help: 'the field that holds the id (default _id)' },
    'generate-ids': { help: 'make ids for documents without one' },
    'on-error': { value: 'POLICY', help: 'stop (default), skip or dead-letter' },
    rejects: { value: 'FILE', help: 'the dead-letter file (default beside the store)' },
    'batch-bytes': { value: 'SIZE', help: 'read this much at a time (default 1MiB)' },
    'commit-bytes': { value: 'SIZE', help: 'commit this often (default 32MiB)' },
    'max-line-bytes': { value: 'SIZE', help: 'longest line accepted (default 16MiB)' },
    json: { help: 'print the summary as one JSON object' },
  },
  required: ['collection'],
  async run(args, terminal) {
    const job = readJob(args);
    const total = await inputBytes(job.inputs);
    const store = await FastStore.open(job.path, job.collection, { mode: 'write' });
    const run = new Run(job, store, new Progress(terminal.stderr, 'ingest', total));
    try {
      await run.read(terminal);
      await run.finish();
    } catch (error) {
      run.progress.clear();
      await run.abandon();
      if (run.committed > 0) {
        terminal.stderr.write(`${formatDocuments(run.committed)} committed before this:\n`);
      }
      throw error;
    }
    run.progress.clear();
    await terminal.stdout.write(args.flag('json') ? `${run.json()}\n` : run.text());
    if (!run.interrupted) return 0;
    terminal.stderr.write(`${run.stoppedText()}\n`);
    return 130;
  },
};

interface Job {
  readonly path: string;
  readonly collection: string;
  readonly inputs: readonly string[];
  readonly ids: IdOptions;
  readonly policy: string;
  readonly rejects: string | undefined;
  readonly batchBytes: number | undefined;
  readonly commitBytes: number;
  readonly maxLineBytes: number | undefined;
}

function readJob(args: Arguments): Job {
  const [path, ...files] = args.positionals as [string, ...string[]];
  const collection = args.text('collection')!;
  const policy = args.text('on-error') ?? 'stop';
  if (!POLICIES.includes(policy)) {
    throw new EtlError(
      'INVALID_ARGUMENT',
      `--on-error takes ${POLICIES.join(', ')}, not ${policy}`,
    );
  }
  const beside = join(dirname(resolve(path)), `${basename(collection)}.rejects.jsonl`);
  const idField = args.text('id-field');
  return {
    path,
    collection,
    inputs: files.length > 0 ? files : ['-'],
    ids: {
      ...(idField === undefined ? {} : { idField }),
      ...(args.flag('generate-ids') ? { generateIds: true } : {}),
    },
    policy,
    rejects: policy === 'dead-letter' ? (args.text('rejects') ?? beside) : undefined,
    batchBytes: bytesOption(args, 'batch-bytes'),
    commitBytes: bytesOption(args, 'commit-bytes') ?? DEFAULT_COMMIT_BYTES,
    maxLineBytes: bytesOption(args, 'max-line-bytes'),
  };
}

/** Bytes that the reading will go through, where that can be known. Errors: IO_ERROR. */
async function inputBytes(inputs: readonly string[]): Promise<number | undefined> {
  if (inputs.some((input) => input === '-' || /^https?:/i.test(input))) return undefined;
  let total = 0;
  for (const path of await expandPaths(inputs)) {
    if (compressionByName(path) !== 'none') return undefined;
    total += (await stat(path)).size;
  }
  return total;
}

/** One run: the counts, the place reached, and the ends of it. */
class Run {
  readonly progress: Progress;
  committed = 0;
  interrupted = false;
  readonly #job: Job;
  readonly #store: FastStore;
  readonly #rejects: RejectFile | undefined;
  #documents = 0;
  #replaced = 0;
  #rejected = 0;
  #commits = 0;
  #place: LineCursor | undefined;
  #seconds = 0;

  constructor(job: Job, store: FastStore, progress: Progress) {
    this.#job = job;
    this.#store = store;
    this.progress = progress;
    this.#rejects = job.rejects === undefined ? undefined : new RejectFile(job.rejects);
  }

  /** Reads to the end, the first thing that cannot be passed over, or Ctrl-C. */
  async read({ interrupt }: Terminal): Promise<void> {
    const { inputs, ids, policy, batchBytes, maxLineBytes, commitBytes } = this.#job;
    const onReject =
      policy === 'stop'
        ? undefined
        : (reject: Reject) => {
            this.#rejected++;
            this.#rejects?.add(reject);
          };
    const source = jsonlSource(inputs, {
      onError: onReject ?? 'stop',
      ...(batchBytes === undefined ? {} : { batchBytes }),
      ...(maxLineBytes === undefined ? {} : { maxLineBytes }),
    });
    const batches = source.batches({ key: parsePath(ids.idField ?? '_id') });
    for await (const batch of untilInterrupt(batches, interrupt)) {
      const { documents, replaced } = await appendBatch(this.#store, batch, ids, onReject);
      this.#documents += documents;
      this.#replaced += replaced;
      this.progress.add(documents, this.#advance(batch.cursor as LineCursor));
      if (this.#store.uncommittedBytes >= commitBytes) await this.#commit();
    }
    this.interrupted = interrupt.requested;
  }

  /** Makes all of it durable, the rejects first. */
  async finish(): Promise<void> {
    this.#rejects?.close();
    await this.#commit();
    await this.#store.close();
    this.#seconds = this.progress.seconds;
  }

  /** After an error: what was committed stays, and nothing else. */
  async abandon(): Promise<void> {
    this.#rejects?.close();
    await this.#store.abandon();
  }

  json(): string {
    return JSON.stringify({
      collection: this.#job.collection,
      read: this.#documents + this.#rejected,
      documents: this.#documents,
      replaced: this.#replaced,
      rejected: this.#rejected,
      rejects: this.#rejects && this.#rejects.count > 0 ? this.#rejects.path : undefined,
      bytes: this.progress.bytes,
      commits: this.#commits,
      seconds: Number(this.#seconds.toFixed(3)),
      documentsPerSecond: Math.round(this.#documents / this.#seconds),
      stopped: this.interrupted ? (this.#place ?? {}) : undefined,
    });
  }

  text(): string {
    const rate = formatRate(this.#documents / this.#seconds);
    const lines = [
      `${formatDocuments(this.#documents)} into ${this.#job.collection}: ` +
        `${formatSize(this.progress.bytes)} in ${formatSeconds(this.#seconds)} (${rate})`,
    ];
    if (this.#replaced > 0) lines.push(`${formatCount(this.#replaced)} replaced older ones`);
    if (this.#rejected > 0) {
      const where = this.#rejects ? `set aside in ${this.#rejects.path}` : 'skipped';
      lines.push(`${formatCount(this.#rejected)} bad ones ${where}`);
    }
    return lines.map((line) => `${line}\n`).join('');
  }

  stoppedText(): string {
    const { source = 'the input', line = 0 } = this.#place ?? {};
    const place = line === 0 ? 'before the first document' : `at ${source} line ${line}`;
    return `stopped ${place}; ${formatDocuments(this.committed)} committed`;
  }

  /** Bytes between the place reached before and the one reached now. */
  #advance(cursor: LineCursor): number {
    const before = this.#place?.source === cursor.source ? (this.#place?.offset ?? 0) : 0;
    this.#place = cursor;
    return cursor.offset - before;
  }

  async #commit(): Promise<void> {
    if (this.#documents === this.committed) return;
    await this.#store.flush({ cursor: this.#place });
    this.committed = this.#documents;
    this.#commits++;
  }
}
