/**
 * `zds validate`, `reindex`, `compact` and `repair`: what keeps a store sound and small.
 */
import { formatPlace } from '../../core/errors.ts';
import type { Finding } from '../../store/maintenance/findings.ts';
import { reindex, repair } from '../../store/maintenance/repair.ts';
import { verify, verifyRoot } from '../../store/maintenance/verify.ts';
import { type Command, collectionOption, type Terminal } from '../command.ts';
import { openForChange } from '../open.ts';
import { Progress } from '../progress.ts';
import { formatCount, formatDocuments, formatSeconds, formatSize } from '../text.ts';

const jsonOption = { help: 'as one JSON object' };

/** Reads everything and tells what is wrong; exit code 1 where there is damage. */
export const validateCommand: Command = {
  name: 'validate',
  summary: 'Check collections and tell everything that is wrong.',
  usage: 'PATH [-c NAME] [--json]',
  positionals: [1, 1],
  options: { collection: collectionOption, json: jsonOption },
  async run(args, terminal) {
    const { stdout } = terminal;
    const [path, collection] = [args.positionals[0]!, args.text('collection')];
    const folders = collection === undefined ? await verifyRoot(path) : [];
    const reports = await withProgress(terminal, 'checking', (hooks) =>
      verify(path, collection, hooks),
    );
    const ok = reports.every((report) => report.ok);
    if (args.flag('json')) {
      await stdout.write(`${JSON.stringify({ ok, findings: folders, collections: reports })}\n`);
      return ok ? 0 : 1;
    }
    await printFindings(terminal, folders);
    for (const { collection, documents, lines, damage, notices, findings } of reports) {
      await printFindings(terminal, findings);
      const hidden = damage + notices - findings.length;
      if (hidden > 0) await stdout.write(`… and ${formatCount(hidden)} more\n`);
      const verdict = damage === 0 ? 'sound' : `${formatCount(damage)} damaged places`;
      const dead = formatCount(lines - documents);
      await stdout.write(
        `${collection}: ${verdict}, ${formatDocuments(documents)}, ${dead} dead lines\n`,
      );
    }
    return ok ? 0 : 1;
  },
};

/** Makes index.bin anew. */
export const reindexCommand: Command = {
  name: 'reindex',
  summary: 'Make the index of a collection anew from its data.',
  usage: 'PATH -c NAME [--json]',
  positionals: [1, 1],
  options: { collection: collectionOption, json: jsonOption },
  required: ['collection'],
  whenStopped: () => 'the index is made when the collection is opened next',
  async run(args, { stdout, interrupt: { signal } }) {
    const [path, collection] = [args.positionals[0]!, args.text('collection')!];
    const report = await reindex(path, collection, { signal });
    const text = `indexed ${formatDocuments(report.documents)} in ${formatSeconds(report.seconds)}`;
    await stdout.write(`${args.flag('json') ? JSON.stringify(report) : text}\n`);
    return 0;
  },
};

/** Drops what is dead. */
export const compactCommand: Command = {
  name: 'compact',
  summary: 'Drop superseded and deleted documents, and give the space back.',
  usage: 'PATH -c NAME [--json]',
  positionals: [1, 1],
  options: { collection: collectionOption, json: jsonOption },
  required: ['collection'],
  async run(args, terminal) {
    const store = await openForChange(args.positionals[0]!, args.text('collection')!, false);
    try {
      const report = await withProgress(terminal, 'compacting', (hooks) => store.compact(hooks));
      await store.close();
      const { droppedLines, bytesBefore, bytesAfter, seconds } = report;
      const sizes = `${formatSize(bytesBefore)} to ${formatSize(bytesAfter)}`;
      const text = `dropped ${formatCount(droppedLines)} dead lines, ${sizes}, in ${formatSeconds(seconds)}`;
      const { collection } = store;
      const json = JSON.stringify({ collection, ...report });
      await terminal.stdout.write(`${args.flag('json') ? json : text}\n`);
    } finally {
      await store.abandon();
    }
    return 0;
  },
};

/** Makes a damaged collection whole with the least loss. */
export const repairCommand: Command = {
  name: 'repair',
  summary: 'Mend a damaged collection, and put aside what cannot be kept.',
  usage: 'PATH -c NAME [--json]',
  positionals: [1, 1],
  options: { collection: collectionOption, json: jsonOption },
  required: ['collection'],
  whenStopped: () => 'the documents are as they were',
  async run(args, terminal) {
    const { stdout } = terminal;
    const [path, collection] = [args.positionals[0]!, args.text('collection')!];
    const report = await withProgress(terminal, 'repairing', (hooks) =>
      repair(path, collection, hooks),
    );
    if (args.flag('json')) {
      await stdout.write(`${JSON.stringify(report)}\n`);
      return 0;
    }
    await printFindings(terminal, report.findings);
    const { action, documents, droppedLines, droppedFiles, droppedPath, lostBytes } = report;
    const done = { none: 'nothing to repair', index: 'index made anew', rewritten: 'repaired' };
    await stdout.write(`${done[action]}: ${formatDocuments(documents)}\n`);
    if (lostBytes > 0) await stdout.write(`lost: ${formatSize(lostBytes)} that were committed\n`);
    if (report.strictEnded) await stdout.write('strict no more: there are several schemas\n');
    if (droppedPath !== undefined) {
      const files = droppedFiles.length > 0 ? droppedFiles.join(', ') : 'the manifest';
      const what = droppedLines > 0 ? `${formatCount(droppedLines)} lines` : files;
      await stdout.write(`put aside: ${what}, in ${droppedPath}\n`);
    }
    return 0;
  },
};

async function printFindings({ stdout }: Terminal, findings: readonly Finding[]): Promise<void> {
  for (const { level, place, code, message } of findings) {
    await stdout.write(`${formatPlace(place)}: ${level}: ${message} [${code}]\n`);
  }
}

interface Hooks {
  readonly signal: AbortSignal;
  readonly onProgress: (progress: { readonly bytes: number; readonly totalBytes: number }) => void;
}

/** Shows how far the work is, and lets Ctrl-C stop it. */
async function withProgress<R>(
  { stderr, interrupt }: Terminal,
  label: string,
  work: (hooks: Hooks) => Promise<R>,
): Promise<R> {
  const progress = new Progress(stderr, label, undefined);
  let done = 0;
  const onProgress: Hooks['onProgress'] = ({ bytes }) => {
    progress.add(0, Math.max(0, bytes - done));
    done = bytes;
  };
  try {
    return await work({ signal: interrupt.signal, onProgress });
  } finally {
    progress.clear();
  }
}
