/**
 * A real process killed in the middle of its work: what it had been told is committed is there, in
 * whole commits, and its lock is gone with it. Uses the built package, as the child knows no TypeScript.
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { FastStore } from '../../src/store/index.ts';
import { built, builtModule } from '../support/lives.ts';

const BATCH = 50;

const child = (root: string) => `
  import { FastStore } from ${builtModule('store/fast-store')};
  const store = await FastStore.open(${JSON.stringify(root)}, 'c');
  for (let n = store.count; ; ) {
    for (let i = 0; i < ${BATCH}; i++, n++) store.put('d' + n, { n, pad: 'x'.repeat(500) });
    await store.flush({ cursor: n });
    process.stdout.write(n + '\\n');
  }
`;

/** Lets a child write for a while; answers the last count that it was told is committed. */
function writeAndKill(root: string, ms: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const { stdout, stderr, kill, ended } = start(root);
    let said = '';
    let complaint = '';
    stdout.on('data', (text: Buffer) => {
      if (said === '') setTimeout(kill, ms);
      said += text.toString();
    });
    stderr.on('data', (text: Buffer) => {
      complaint += text.toString();
    });
    ended.then(() => {
      const whole = said.slice(0, said.lastIndexOf('\n')).split('\n');
      if (said === '') reject(new Error(`the child never committed: ${complaint}`));
      else resolve(Number(whole.at(-1)));
    });
  });
}

function start(root: string) {
  const running = spawn(process.execPath, ['--input-type=module', '-e', child(root)]);
  return {
    stdout: running.stdout,
    stderr: running.stderr,
    kill: () => running.kill('SIGKILL'),
    ended: new Promise<void>((resolve) => running.once('close', () => resolve())),
  };
}

describe('a process that is killed', () => {
  it.skipIf(!existsSync(built))('leaves whole commits and no lock', async () => {
    const root = mkdtempSync(join(tmpdir(), 'zds-kill-'));
    try {
      for (const ms of [0, 7, 40, 90]) {
        const told = await writeAndKill(root, ms);
        const store = await FastStore.open(root, 'c');
        expect(store.count).toBeGreaterThanOrEqual(told);
        expect(store.count % BATCH).toBe(0);
        expect(await store.cursor()).toBe(store.count);
        let n = 0;
        for await (const document of store.scan()) {
          expect(document).toMatchObject({ _id: `d${n}`, n });
          n++;
        }
        expect(n).toBe(store.count);
        await store.close();
      }
    } finally {
      rmSync(root, { recursive: true, force: true });
    }
  });
});
