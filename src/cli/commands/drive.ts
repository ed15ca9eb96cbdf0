/**
 * `zds drive …`: entries of an R-Drive file from the command line. Payloads go through standard input and
 * output as they are, so that anything can be stored; keys are text.
 */
import { existsSync, rmSync } from 'node:fs';
import { EtlError } from '../../core/errors.ts';
import type { DataStore } from '../../store/drive/data-store.ts';
import { formatBytes, importDirRecursively } from '../../store/drive/extensions/index.ts';
import type { Command, OptionSpec, Terminal } from '../command.ts';
import { formatCount } from '../text.ts';

const jsonOption: OptionSpec = { help: 'as JSON' };
const namespaceOption: OptionSpec = { value: 'NAME', help: 'the namespace of the keys' };

/** Opens a drive that is there, does something with it, and closes it. */
async function withDrive(
  path: string,
  mode: 'read' | 'write' | 'create',
  terminal: Terminal,
  work: (store: DataStore) => Promise<number>,
): Promise<number> {
  const { DataStore } = await import('../../store/drive/data-store.ts');
  const open = mode === 'create' ? DataStore.open : DataStore.openExisting;
  const isNew = mode === 'create' && !existsSync(path);
  const store = await open(path, { mode: mode === 'read' ? 'read' : 'write' });
  const { cutBytes, cutPath, damaged } = store.recovery;
  if (cutBytes > 0) {
    const where = cutPath === undefined ? '' : `, kept in ${cutPath}`;
    terminal.stderr.write(
      `${path}: ${cutBytes} bytes behind the last whole record left out${where}\n`,
    );
  }
  if (damaged) terminal.stderr.write(`${path}: the last record is damaged\n`);
  let code: number;
  try {
    code = await work(store);
  } catch (error) {
    const entries = store.len();
    // Entries written before stay. Once the lock is let go of the file may be another's.
    const isVain = isNew && entries === 0;
    if (isVain) rmSync(path, { force: true });
    // What failed first is what is told.
    await store.close().catch(() => undefined);
    if (isVain) throw error;
    if (mode === 'create' && error instanceof EtlError && error.code === 'IO_ERROR') {
      terminal.stderr.write(`${path}: whole entries in it: ${formatCount(entries)}\n`);
    }
    throw error;
  }
  await store.close();
  return code;
}

const write: Command = {
  name: 'drive write',
  summary: 'Store standard input (or --data) under a key.',
  usage: 'PATH KEY [--data TEXT]',
  positionals: [2, 2],
  options: { data: { value: 'TEXT', help: 'the payload; standard input if absent' } },
  run: (args, terminal) => {
    const [path, key] = args.positionals as [string, string];
    const data = args.text('data');
    const { stdin, interrupt } = terminal;
    const source = data === undefined ? stdin : [Buffer.from(data)];
    return withDrive(path, 'create', terminal, async (store) => {
      await store.writeStream(key, source, { signal: interrupt.signal });
      return 0;
    });
  },
};

const read: Command = {
  name: 'drive read',
  summary: 'Print the payload of a key, as it is.',
  usage: 'PATH KEY',
  positionals: [2, 2],
  options: {},
  run: (args, terminal) => {
    const [path, key] = args.positionals as [string, string];
    return withDrive(path, 'read', terminal, async (store) => {
      const entry = store.read(key);
      if (entry === undefined) throw noSuchKey(path, key);
      for (const chunk of entry.chunks()) {
        if (terminal.stdout.closed) break;
        // The stream may hold on to what it is given for longer than the drive is open.
        await terminal.stdout.write(chunk);
      }
      return 0;
    });
  },
};

const info: Command = {
  name: 'drive info',
  summary: 'Tell the size of a drive, and what compaction would give back.',
  usage: 'PATH [--json]',
  positionals: [1, 1],
  options: { json: jsonOption },
  run: (args, terminal) => {
    const [path] = args.positionals as [string];
    return withDrive(path, 'read', terminal, async (store) => {
      const facts = {
        entries: store.len(),
        bytes: store.fileSize(),
        savings: store.estimateCompactionSavings(),
        way: store.way,
      };
      const lines = [
        `entries      ${formatCount(facts.entries)}`,
        `file         ${formatBytes(facts.bytes)}`,
        `reclaimable  ${formatBytes(facts.savings)}`,
        `read by      ${facts.way === 'map' ? 'memory map' : 'positioned reads'}`,
      ];
      const text = args.flag('json') ? JSON.stringify(facts) : lines.join('\n');
      await terminal.stdout.write(`${text}\n`);
      return 0;
    });
  },
};

const list: Command = {
  name: 'drive ls',
  summary: 'List entries, newest first: key hash, bytes, offset (keys are not stored).',
  usage: 'PATH [--json]',
  positionals: [1, 1],
  options: { json: { help: 'a JSON object a line' } },
  run: (args, terminal) => {
    const [path] = args.positionals as [string];
    return withDrive(path, 'read', terminal, async (store) => {
      for (const entry of store.iterEntries()) {
        if (terminal.stdout.closed || terminal.interrupt.requested) break;
        const keyHash = entry.keyHash.toString(16).padStart(16, '0');
        const { size, startOffset: offset } = entry;
        await terminal.stdout.write(
          args.flag('json')
            ? `${JSON.stringify({ keyHash, size, offset })}\n`
            : `${keyHash} ${String(size).padStart(12)} ${offset}\n`,
        );
      }
      return terminal.interrupt.requested ? 130 : 0;
    });
  },
};

const rename: Command = {
  name: 'drive rename',
  summary: 'Give an entry another key.',
  usage: 'PATH KEY NEW-KEY',
  positionals: [3, 3],
  options: {},
  run: (args, terminal) => {
    const [path, key, newKey] = args.positionals as [string, string, string];
    return withDrive(path, 'write', terminal, async (store) => {
      await store.rename(key, newKey);
      return 0;
    });
  },
};

const copy: Command = {
  name: 'drive copy',
  summary: 'Copy an entry to another drive; with --move delete it in the first.',
  usage: 'PATH KEY TARGET [--move]',
  positionals: [3, 3],
  options: { move: { help: 'delete it here once it is durable there' } },
  run: (args, terminal) => {
    const [path, key, to] = args.positionals as [string, string, string];
    const move = args.flag('move');
    return withDrive(path, move ? 'write' : 'read', terminal, (store) => {
      if (!store.exists(key)) throw noSuchKey(path, key);
      return withDrive(to, 'create', terminal, async (target) => {
        await (move ? store.transfer(key, target) : store.copy(key, target));
        return 0;
      });
    });
  },
};

const remove: Command = {
  name: 'drive delete',
  summary: 'Delete entries by key.',
  usage: 'PATH KEY…',
  positionals: [2, 10_000],
  options: {},
  run: (args, terminal) => {
    const [path, ...keys] = args.positionals as [string, ...string[]];
    return withDrive(path, 'write', terminal, async (store) => {
      const missing = keys.find((key) => !store.exists(key));
      if (missing !== undefined) throw noSuchKey(path, missing);
      await store.batchDelete(keys);
      return 0;
    });
  },
};

const compact: Command = {
  name: 'drive compact',
  summary: 'Write a drive anew without replaced and deleted entries.',
  usage: 'PATH [--json]',
  positionals: [1, 1],
  options: { json: jsonOption },
  run: (args, terminal) => {
    const [path] = args.positionals as [string];
    return withDrive(path, 'write', terminal, async (store) => {
      const report = await store.compact({ signal: terminal.interrupt.signal });
      const { entries, bytesBefore, bytesAfter } = report;
      const text = args.flag('json')
        ? JSON.stringify(report)
        : `${formatCount(entries)} entries; ${formatBytes(bytesBefore)} before, ${formatBytes(bytesAfter)} now`;
      await terminal.stdout.write(`${text}\n`);
      return 0;
    });
  },
};

const verify: Command = {
  name: 'drive verify',
  summary: 'Check every record against its checksum; exit code 1 where there is damage.',
  usage: 'PATH [--json]',
  positionals: [1, 1],
  options: { json: jsonOption },
  run: (args, terminal) => {
    const [path] = args.positionals as [string];
    return withDrive(path, 'read', terminal, async (store) => {
      const report = await store.verify({ signal: terminal.interrupt.signal });
      const ok = report.ok && store.recovery.cutBytes === 0;
      const lines = report.places.map(({ start, end }) => `damaged: bytes ${start} to ${end}\n`);
      const text = args.flag('json')
        ? `${JSON.stringify({ ...report, ok, cutBytes: store.recovery.cutBytes })}\n`
        : `${lines.join('')}${formatCount(report.records)} records, ${formatCount(report.damaged)} damaged\n`;
      await terminal.stdout.write(text);
      return ok ? 0 : 1;
    });
  },
};

const importFiles: Command = {
  name: 'drive import',
  summary: 'Store every file below a folder under its path.',
  usage: 'PATH FOLDER [--namespace NAME] [--json]',
  positionals: [2, 2],
  options: { namespace: namespaceOption, json: jsonOption },
  whenStopped: ({ positionals }) => `files that were stored stay in ${positionals[0]}`,
  run: (args, terminal) => {
    const [path, folder] = args.positionals as [string, string];
    const namespace = args.text('namespace');
    return withDrive(path, 'create', terminal, async (store) => {
      const { files, skipped } = await importDirRecursively(store, folder, {
        namespace,
        signal: terminal.interrupt.signal,
      });
      for (const file of skipped) {
        terminal.stderr.write(`${folder}/${file}: left out, the format holds no empty payload\n`);
      }
      const text = args.flag('json')
        ? JSON.stringify({ files: files.map((file) => file.path), skipped })
        : `${formatCount(files.length)} files stored, ${formatCount(skipped.length)} left out`;
      await terminal.stdout.write(`${text}\n`);
      return 0;
    });
  },
};

function noSuchKey(path: string, key: string): EtlError {
  return new EtlError('KEY_NOT_FOUND', `no entry ${JSON.stringify(key)}`, { place: { path } });
}

/** The commands of `zds drive`, in the order of their help. */
export const driveCommands: readonly Command[] = [
  write,
  read,
  info,
  list,
  rename,
  copy,
  remove,
  compact,
  verify,
  importFiles,
];
