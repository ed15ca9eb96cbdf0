#!/usr/bin/env node
/**
 * The `zds` program: hands the process to `runCli`. The first Ctrl-C (SIGTERM, a closed terminal) lets the command
 * in hand come to a good end, the second one ends the process at once, without its temporary files.
 *
 * `process.exit` waits for reads and writes in the thread pool, those of a pipe with nobody at its other end for ever,
 * and answers no signal meanwhile. So the second signal is sent again, with nobody listening.
 */
import { standardInput } from '../io/standard-input.ts';
import { removeTemporaries } from '../io/temporary-registry.ts';
import { Interrupt } from './interrupt.ts';
import { Output } from './output.ts';

const interrupt = new Interrupt();
const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
const listenNoMore = () => {
  for (const signal of signals) process.removeAllListeners(signal);
};
for (const signal of signals) {
  process.on(signal, () => {
    if (!interrupt.requested) return interrupt.request();
    removeTemporaries();
    listenNoMore();
    process.kill(process.pid, signal);
  });
}
// Nobody reads what is said: that is no reason to fail.
process.stderr.on('error', () => undefined);

// A signal may come while the rest is still being loaded.
const { runCli } = await import('./run.ts');
const { stderr } = process;
const stdin = standardInput();
const stdout = new Output(process.stdout);
process.exitCode = await runCli(process.argv.slice(2), { stdin, stdout, stderr, interrupt });
// A silent standard input, or a reader that went away, must not keep a stopped process alive.
if (interrupt.requested || stdout.closed) {
  listenNoMore();
  process.exit();
}
