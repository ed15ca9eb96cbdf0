/**
 * `zds` as a function: arguments and a terminal in, an exit code out; `main.ts` gives it the process.
 * 0: everything asked was done. 1: a failure. 2: the command was not usable. 130: stopped by Ctrl-C.
 */
import { createRequire } from 'node:module';
import { isEtlError } from '../core/errors.ts';
import {
  type Arguments,
  type Command,
  commandHelp,
  parseArguments,
  type Terminal,
} from './command.ts';
import { exitCodeOf, explainError } from './explain.ts';
import { asksForJsonLog, JsonLog } from './json-log.ts';

type CommandModule = Readonly<Record<string, Command | readonly Command[]>>;

const maintain = () => import('./commands/maintain.ts');
const drive = () => import('./commands/drive.ts');

/** Where each command is, in the order of the help; a call loads no more than its own. */
const modules: Readonly<Record<string, () => Promise<CommandModule>>> = {
  init: () => import('./commands/init.ts'),
  ingest: () => import('./commands/ingest.ts'),
  scan: () => import('./commands/scan.ts'),
  export: () => import('./commands/export.ts'),
  get: () => import('./commands/get.ts'),
  put: () => import('./commands/put.ts'),
  delete: () => import('./commands/delete.ts'),
  list: () => import('./commands/list.ts'),
  stats: () => import('./commands/stats.ts'),
  snapshot: () => import('./commands/snapshot.ts'),
  run: () => import('./commands/run.ts'),
  lint: () => import('./commands/lint.ts'),
  test: () => import('./commands/test.ts'),
  new: () => import('./commands/new.ts'),
  convert: () => import('./commands/convert.ts'),
  sniff: () => import('./commands/sniff.ts'),
  runs: () => import('./commands/runs.ts'),
  replay: () => import('./commands/replay.ts'),
  pack: () => import('./commands/pack.ts'),
  unpack: () => import('./commands/unpack.ts'),
  validate: maintain,
  reindex: maintain,
  compact: maintain,
  repair: maintain,
  doctor: () => import('./commands/doctor.ts'),
  'drive write': drive,
  'drive read': drive,
  'drive info': drive,
  'drive ls': drive,
  'drive rename': drive,
  'drive copy': drive,
  'drive delete': drive,
  'drive compact': drive,
  'drive verify': drive,
  'drive import': drive,
};

/** Runs one command line (without `node` and the program's name). Never rejects. */
export async function runCli(argv: readonly string[], given: Terminal): Promise<number> {
  const log = asksForJsonLog(argv) ? new JsonLog(given.stderr) : undefined;
  const terminal = log ? { ...given, stderr: log } : given;
  try {
    const code = await dispatch(argv, terminal);
    await terminal.stdout.flush();
    return code;
  } catch (error) {
    const exitCode = exitCodeOf(error);
    const text = explainError(error, argv.includes('--debug'));
    if (log) log.error({ exitCode }, text.trimEnd());
    else terminal.stderr.write(text);
    return exitCode;
  }
}

async function dispatch(argv: readonly string[], terminal: Terminal): Promise<number> {
  const words = argv[0] === 'drive' && argv[1] !== undefined && !argv[1].startsWith('-') ? 2 : 1;
  const name = argv.length === 0 ? undefined : argv.slice(0, words).join(' ');
  const rest = argv.slice(words);
  if (name === '--version' || name === '-V') {
    await terminal.stdout.write(`${version()}\n`);
    return 0;
  }
  if (name === '--help' || name === '-h' || name === 'help') {
    const command = await findCommand(rest.join(' '));
    await terminal.stdout.write(command ? commandHelp(command) : await overview());
    return 0;
  }
  const command = await findCommand(name);
  if (!command) {
    const problem = name === undefined ? '' : `zds: no command ${JSON.stringify(name)}\n\n`;
    terminal.stderr.write(`${problem}${await overview()}`);
    return 2;
  }
  const args = parseArguments(command, rest);
  if (!args.flag('help')) return runToItsEnd(command, args, terminal);
  await terminal.stdout.write(commandHelp(command));
  return 0;
}

async function runToItsEnd(command: Command, args: Arguments, terminal: Terminal): Promise<number> {
  try {
    return await command.run(args, terminal);
  } catch (error) {
    if (!terminal.interrupt.requested || !isEtlError(error, 'ABORTED')) throw error;
    terminal.stderr.write(`stopped; ${command.whenStopped?.(args) ?? 'nothing was changed'}\n`);
    return 130;
  }
}

async function findCommand(name: string | undefined): Promise<Command | undefined> {
  if (name === undefined || !Object.hasOwn(modules, name)) return undefined;
  const found = await modules[name]!();
  return Object.values(found)
    .flat()
    .find((each) => each.name === name);
}

async function overview(): Promise<string> {
  const commands = await Promise.all(Object.keys(modules).map(findCommand));
  const lines = commands.map((each) => `  ${each!.name.padEnd(13)} ${each!.summary}`);
  return `zds: documents in and out of ZDS stores

usage: zds COMMAND …

${lines.join('\n')}

  zds COMMAND --help   the options of a command
  zds --version
`;
}

function version(): string {
  const manifest = createRequire(import.meta.url)('../../package.json') as { version: string };
  return manifest.version;
}
