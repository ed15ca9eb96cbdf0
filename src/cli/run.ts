/**
 * `zds` as a function: arguments and a terminal in, an exit code out; `main.ts` gives it the process.
 * 0: everything asked was done. 1: a failure. 2: the command was not usable. 130: stopped by Ctrl-C.
 */
import { createRequire } from 'node:module';
import { type Command, commandHelp, parseArguments, type Terminal } from './command.ts';
import { convertCommand } from './commands/convert.ts';
import { deleteCommand } from './commands/delete.ts';
import { doctorCommand } from './commands/doctor.ts';
import { driveCommands } from './commands/drive.ts';
import { exportCommand } from './commands/export.ts';
import { getCommand } from './commands/get.ts';
import { ingestCommand } from './commands/ingest.ts';
import { initCommand } from './commands/init.ts';
import { lintCommand } from './commands/lint.ts';
import { listCommand } from './commands/list.ts';
import {
  compactCommand,
  reindexCommand,
  repairCommand,
  validateCommand,
} from './commands/maintain.ts';
import { newCommand } from './commands/new.ts';
import { packCommand } from './commands/pack.ts';
import { putCommand } from './commands/put.ts';
import { replayCommand } from './commands/replay.ts';
import { runCommand } from './commands/run.ts';
import { runsCommand } from './commands/runs.ts';
import { scanCommand } from './commands/scan.ts';
import { snapshotCommand } from './commands/snapshot.ts';
import { sniffCommand } from './commands/sniff.ts';
import { statsCommand } from './commands/stats.ts';
import { unpackCommand } from './commands/unpack.ts';
import { exitCodeOf, explainError } from './explain.ts';
import { asksForJsonLog, JsonLog } from './json-log.ts';

const commands: readonly Command[] = [
  initCommand,
  ingestCommand,
  scanCommand,
  exportCommand,
  getCommand,
  putCommand,
  deleteCommand,
  listCommand,
  statsCommand,
  snapshotCommand,
  runCommand,
  lintCommand,
  newCommand,
  convertCommand,
  sniffCommand,
  runsCommand,
  replayCommand,
  packCommand,
  unpackCommand,
  validateCommand,
  reindexCommand,
  compactCommand,
  repairCommand,
  doctorCommand,
  ...driveCommands,
];

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
    const command = commands.find((each) => each.name === rest.join(' '));
    await terminal.stdout.write(command ? commandHelp(command) : overview());
    return 0;
  }
  const command = commands.find((each) => each.name === name);
  if (!command) {
    const problem = name === undefined ? '' : `zds: no command ${JSON.stringify(name)}\n\n`;
    terminal.stderr.write(`${problem}${overview()}`);
    return 2;
  }
  const args = parseArguments(command, rest);
  if (!args.flag('help')) return command.run(args, terminal);
  await terminal.stdout.write(commandHelp(command));
  return 0;
}

function overview(): string {
  const lines = commands.map(({ name, summary }) => `  ${name.padEnd(13)} ${summary}`);
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
