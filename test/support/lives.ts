/** Lives of child processes: scripts on the built package that are run, met at work, and killed. */
import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** The package as it is built, to import in a script. */
export const built: string = fileURLToPath(new URL('../../dist/index.js', import.meta.url));

/** One module of it, quoted for an `import` in a script: loading the whole takes three times as long. */
export function builtModule(path: string): string {
  return JSON.stringify(fileURLToPath(new URL(`../../dist/${path}.js`, import.meta.url)));
}

export interface Life {
  readonly said: string;
  readonly code: number | null;
  readonly complaint: string;
}

/** Runs a module; `meet` is called with its process at its first word. */
export function live(
  script: string,
  meet: (process: ChildProcess) => void = () => {},
): Promise<Life> {
  return new Promise((resolve) => {
    const running = spawn(process.execPath, ['--input-type=module', '-e', script]);
    let said = '';
    let complaint = '';
    running.stdout.on('data', (text: Buffer) => {
      if (said === '') meet(running);
      said += text.toString();
    });
    running.stderr.on('data', (text: Buffer) => {
      complaint += text.toString();
    });
    running.once('close', (code) => resolve({ said, code, complaint }));
  });
}

/** Numbers from 0 to 1 that a seed gives again. */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}
