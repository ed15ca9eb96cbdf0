/** A run under the command line: progress on the terminal, Ctrl-C, metrics, and what was kept of a failure. */
import { statSync } from 'node:fs';
import { EtlError } from '../core/errors.ts';
import { fileIdentity } from '../io/file-identity.ts';
import { ownDescriptor } from '../io/own-descriptor.ts';
import type {
  Logger,
  RunHandle,
  RunOnError,
  RunOptions,
  RunProgress,
  RunSummary,
} from '../pipeline/index.ts';
import { FastStore } from '../store/fast-store.ts';
import {
  type Arguments,
  bytesOption,
  countOption,
  type OptionSpec,
  type Terminal,
} from './command.ts';
import { JsonLog } from './json-log.ts';
import { openMetrics } from './metrics-server.ts';
import { noticesTo } from './notices.ts';
import { Progress } from './progress.ts';
import { formatDocuments } from './text.ts';

/** Options that every command has which is a run. */
export const runOptions: Readonly<Record<string, OptionSpec>> = {
  'max-errors': { value: 'N|N%', help: 'end the run when more records than this are bad' },
  'max-memory': { value: 'SIZE', help: 'bytes of documents under way (default 64MiB)' },
  log: { value: 'json', help: 'tell of the run on standard error, an object a line' },
  'metrics-addr': { value: 'HOST:PORT', help: 'serve counts for Prometheus meanwhile' },
};

const POLICIES = ['stop', 'skip', 'dead-letter'];

/** Options that say what becomes of bad records. */
export const rejectOptions: Readonly<Record<string, OptionSpec>> = {
  'on-error': { value: 'POLICY', help: 'stop (default), skip or dead-letter' },
  rejects: { value: 'FILE', help: 'the dead-letter file (default beside what is written)' },
};

/** `--on-error` and `--rejects` as an option of `run`. Errors: INVALID_ARGUMENT. */
export function onErrorOf(args: Arguments, deadLetter: string): RunOnError {
  const policy = args.text('on-error') ?? 'stop';
  if (!POLICIES.includes(policy)) {
    const problem = `--on-error takes ${POLICIES.join(', ')}, not ${policy}`;
    throw new EtlError('INVALID_ARGUMENT', problem);
  }
  const rejects = args.text('rejects');
  if (policy === 'dead-letter') return { deadLetter: rejects ?? deadLetter };
  if (rejects === undefined) return policy as 'stop' | 'skip';
  throw new EtlError('INVALID_ARGUMENT', '--rejects needs --on-error dead-letter');
}

/** The dead-letter file, where bad records go to one. */
export function deadLetterOf(onError: RunOnError | undefined): string | undefined {
  return typeof onError === 'object' ? onError.deadLetter : undefined;
}

const STANDARD = { read: '/dev/stdin', written: '/dev/stdout' } as const;

/** Sees to it that bad records go to no file, pipe or device that is read or written besides. Errors: INVALID_ARGUMENT. */
export async function keepApart(
  onError: RunOnError | undefined,
  path: string,
  use: 'read' | 'written',
): Promise<void> {
  const rejects = deadLetterOf(onError);
  if (rejects === undefined) return;
  const other = await identityOf(path === '-' ? STANDARD[use] : path);
  if ((await identityOf(rejects)) !== other) return;
  const problem = `is ${use}, and so cannot be where bad records go`;
  throw new EtlError('INVALID_ARGUMENT', problem, { place: { path } });
}

/** Standard output and standard error are two, also on one terminal; but not in one file. */
async function identityOf(path: string): Promise<string> {
  const own = ownDescriptor(path);
  const isFile = own === undefined || statSync(path, { throwIfNoEntry: false })?.isFile();
  return isFile ? fileIdentity(path) : `descriptor ${own}`;
}

/** `--max-errors` and `--max-memory` as options of `run`. Errors: INVALID_ARGUMENT. */
export function limitsOf(args: Arguments): Pick<RunOptions, 'maxErrors' | 'maxMemory'> {
  const maxMemory = bytesOption(args, 'max-memory');
  const text = args.text('max-errors');
  const maxErrors = text?.endsWith('%') ? (text as `${number}%`) : countOption(args, 'max-errors');
  return {
    ...(maxErrors === undefined ? {} : { maxErrors }),
    ...(maxMemory === undefined ? {} : { maxMemory }),
  };
}

/** Where a run goes to and how it is shown. */
export interface RunPlace {
  readonly label: string;
  /** Bytes to come, where known. */
  readonly total: number | undefined;
  readonly args: Arguments;
  readonly terminal: Terminal;
  /** The collection it writes to, if it is one: what was committed is told when the run fails. */
  readonly store?: StorePlace | undefined;
  /** Asked at Ctrl-C: the run is to end with ABORTED; else, and by default, it is stopped in good order. */
  readonly aborts?: () => boolean;
}

interface StorePlace {
  readonly path: string;
  readonly collection: string;
}

/**
 * Starts a run with a logger, and sees it to its end; the first Ctrl-C stops it.
 * Errors: the run's.
 */
export async function runHere<Summary>(
  start: (logger: Logger) => RunHandle<Summary>,
  { label, total, args, terminal, store, aborts = () => false }: RunPlace,
): Promise<RunSummary<Summary>> {
  const { stderr, interrupt } = terminal;
  if ((args.text('log') ?? 'json') !== 'json') {
    throw new EtlError('INVALID_ARGUMENT', `--log takes json, not ${args.text('log')}`);
  }
  const progress = new Progress(stderr, label, total);
  let last = { written: 0, bytes: 0 };
  let handle: RunHandle<Summary> | undefined;
  const metrics = await openMetrics(args.text('metrics-addr'), () =>
    handle ? [handle.progress] : [],
  );
  // The port is the system's choice.
  if (/:0+$/.test(args.text('metrics-addr') ?? '')) {
    stderr.write(`metrics: http://${metrics.address}/metrics\n`);
  }
  try {
    const notices = noticesTo((line) => {
      progress.clear();
      stderr.write(`${label}: ${line}\n`);
    });
    const running = start(stderr instanceof JsonLog ? stderr : notices);
    handle = running;
    running.on('progress', ({ written, bytes }: RunProgress) => {
      progress.add(written - last.written, bytes - last.bytes);
      last = { written, bytes };
    });
    const end = () => (aborts() ? running.abort() : void running.stop());
    if (interrupt.requested) end();
    const summary = await interrupt.orWish(running.done);
    if (summary !== undefined) return summary;
    end();
    return await running.done;
  } catch (error) {
    progress.clear();
    const committed = handle && store ? await committedBy(handle.loadId, store) : 0;
    if (committed > 0) stderr.write(`${formatDocuments(committed)} committed before this:\n`);
    throw error;
  } finally {
    progress.clear();
    await metrics.close();
  }
}

/** Documents in the commits of a load; 0 where nothing can be read. */
async function committedBy(loadId: string, { path, collection }: StorePlace): Promise<number> {
  try {
    const store = await FastStore.open(path, collection, { mode: 'read' });
    try {
      let documents = 0;
      for await (const commit of store.commits()) {
        if (commit.loadId === loadId) documents += commit.counts?.documents ?? 0;
      }
      return documents;
    } finally {
      await store.close();
    }
  } catch {
    return 0;
  }
}
