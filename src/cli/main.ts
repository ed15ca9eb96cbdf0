#!/usr/bin/env node
/**
 * The `zds` program: hands the process to `runCli`. The first Ctrl-C (or SIGTERM) lets the command
 * in hand come to a good end, the second one ends the process at once, without its temporary files.
 */
import { removeTemporaries } from '../io/temporary-registry.ts';
import { Interrupt } from './interrupt.ts';
import { Output } from './output.ts';

const interrupt = new Interrupt();
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    if (interrupt.requested) {
      removeTemporaries();
      process.exit(130);
    }
    interrupt.request();
  });
}
// Nobody reads what is said: that is no reason to fail.
process.stderr.on('error', () => undefined);

// A signal may come while the rest is still being loaded.
const { runCli } = await import('./run.ts');
const { stdin, stderr } = process;
const stdout = new Output(process.stdout);
process.exitCode = await runCli(process.argv.slice(2), { stdin, stdout, stderr, interrupt });
// A silent standard input, or a reader that went away, must not keep a stopped process alive.
if (interrupt.requested || stdout.closed) process.exit();
