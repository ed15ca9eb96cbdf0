/** What the command line loads: no large library where a command does without. */
import { spawnSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { temporaryFolder } from './harness.ts';

const dist = (path: string) => new URL(`../../../dist/${path}`, import.meta.url);
const folder = temporaryFolder();

/** As the text of a module for `--import`: loading one of these fails. */
const refusing = (pattern: RegExp): string => {
  const hooks = `export async function resolve(name, context, next) {
    if (${pattern}.test(name)) throw new Error(name + ' is loaded');
    return next(name, context);
  }`;
  const asUrl = (text: string) => `data:text/javascript,${encodeURIComponent(text)}`;
  return asUrl(
    `import { register } from 'node:module'; register(${JSON.stringify(asUrl(hooks))});`,
  );
};

/** Runs command lines in one new process that cannot load what the pattern names. */
function runAll(commands: readonly string[][], pattern: RegExp): { codes: number[]; text: string } {
  const program = `
    const { runCli } = await import(${JSON.stringify(dist('cli/run.js'))});
    const { Output } = await import(${JSON.stringify(dist('cli/output.js'))});
    const { Interrupt } = await import(${JSON.stringify(dist('cli/interrupt.js'))});
    const { stdin, stderr } = process;
    const stdout = new Output(process.stderr);
    const codes = [];
    for (const argv of ${JSON.stringify(commands)}) {
      codes.push(await runCli(argv, { stdin, stdout, stderr, interrupt: new Interrupt() }));
    }
    process.stdout.write(JSON.stringify(codes));
  `;
  const argv = ['--import', refusing(pattern), '--input-type=module', '-e', program];
  const { stdout, stderr } = spawnSync(process.execPath, argv, { encoding: 'utf8' });
  return { codes: JSON.parse(stdout || '[]'), text: stderr };
}

it.skipIf(!existsSync(fileURLToPath(dist('cli/run.js'))))('leaves large libraries alone', () => {
  const lake = join(folder, 'lake');
  const lines = join(folder, 'a.jsonl');
  writeFileSync(lines, '{"_id":"a","n":1}\n{"_id":"b","n":2}\n');
  const where = ['--where', 'n > 1'];
  const commands = [
    ['help'],
    ['--version'],
    ['ingest', lake, '-c', 'c', lines],
    ['put', lake, 'z', '-c', 'c', '--data', '{"n":3}'],
    ['get', lake, 'z', '-c', 'c'],
    ['list', lake],
    ['stats', lake],
    ['scan', lake, '-c', 'c', ...where],
    ['export', lake, '-c', 'c', '--to', join(folder, 'b.jsonl'), ...where],
    ['convert', lines, join(folder, 'b.csv')],
    ['validate', lake],
    ['compact', lake, '-c', 'c'],
  ];
  const large = /^(apache-arrow|hyparquet|yaml$|@noble)/;
  expect(runAll(commands, large)).toEqual({
    codes: commands.map(() => 0),
    text: expect.stringContaining('2 documents to'),
  });
  // It does refuse them.
  const arrow = ['export', lake, '-c', 'c', '--to', join(folder, 'b.arrow')];
  expect(runAll([arrow], large)).toEqual({
    codes: [1],
    text: expect.stringContaining('apache-arrow is loaded'),
  });
});
