/**
 * Readers in processes of their own beside a writer that adds, deletes and compacts: no error, no
 * torn document, states only as commits left them. And the lock: one writer, who says who it is, and
 * whose death blocks nobody. Uses the built package, as the child processes know no TypeScript.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { FastStore } from '../../src/store/index.ts';
import { built, builtModule } from '../support/lives.ts';

const folder = mkdtempSync(join(tmpdir(), 'zds-readers-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/**
 * Reads until told to end, and says a dot for every time it has. Every commit holds the documents of
 * its batches whole, and in `state` how many there are; half of the readers open anew each time, half
 * refresh.
 */
const reader = (root: string, anew: boolean) => `
  import { FastStore } from ${builtModule('store/fast-store')};
  const open = () => FastStore.open(${JSON.stringify(root)}, 'c', { mode: 'read' });
  let ending = false;
  process.stdin.once('data', () => { ending = true; });
  process.stdout.write('ready\\n');
  let store = await open();
  let last = 0;
  // The last round begins when all is written.
  for (let isLast = false; !isLast; ) {
    isLast = ending;
    if (${anew}) { await store.close(); store = await open(); } else await store.refresh();
    const seen = new Set();
    let state;
    for await (const document of store.scan()) {
      if (seen.has(document._id)) throw new Error('twice: ' + document._id);
      seen.add(document._id);
      if (document._id === 'state') state = document;
      else if (document._id !== 'd' + document.n || document.pad.length !== 200) throw new Error('torn');
    }
    if (state.documents !== seen.size - 1) throw new Error(state.documents + ' said, ' + (seen.size - 1));
    if (store.get('state').commit !== state.commit) throw new Error('get and scan disagree');
    if (state.commit < last) throw new Error('back from ' + last + ' to ' + state.commit);
    last = state.commit;
    process.stdout.write('.');
  }
  await store.close();
  process.stdout.write(String(last));
  process.exit(0);
`;

const holder = (root: string) => `
  import { FastStore } from ${builtModule('store/fast-store')};
  const store = await FastStore.open(${JSON.stringify(root)}, 'c');
  store.put('mine', {});
  await store.flush();
  process.stdout.write('ready\\n');
  setInterval(() => {}, 1000);
`;

interface Child {
  readonly process: ChildProcess;
  readonly ready: Promise<void>;
  /** How often it has read. */
  readonly rounds: () => number;
  readonly ended: Promise<{ readonly said: string; readonly complaint: string }>;
}

function start(script: string): Child {
  const running = spawn(process.execPath, ['--input-type=module', '-e', script]);
  let said = '';
  let complaint = '';
  const ready = new Promise<void>((resolve) => {
    running.stdout.on('data', (text: Buffer) => {
      said += text.toString();
      resolve();
    });
    running.once('close', () => resolve());
  });
  running.stderr.on('data', (text: Buffer) => {
    complaint += text.toString();
  });
  const ended = new Promise<{ said: string; complaint: string }>((resolve) => {
    running.once('close', () => resolve({ said: said.replace(/^ready\n\.*/, ''), complaint }));
  });
  return { process: running, ready, rounds: () => said.split('.').length - 1, ended };
}

describe.skipIf(!existsSync(built))('several processes on one store', () => {
  it('read what commits left while another writes, deletes and compacts', async () => {
    const root = join(folder, 'shared');
    const store = await FastStore.open(root, 'c');
    let documents = 0;
    let next = 0;
    let commit = 0;
    const step = async (): Promise<void> => {
      for (let i = 0; i < 200; i++, next++, documents++) {
        store.put(`d${next}`, { n: next, pad: 'x'.repeat(200) });
      }
      // Old ones go in every other commit, so that compaction has work.
      if (commit % 2 === 1) {
        for (let i = 0; i < 150; i++) if (store.delete(`d${next - 400 + i}`)) documents--;
      }
      store.put('state', { commit: ++commit, documents });
      await store.flush();
    };
    await step();
    const readers = [false, true, false].map((anew) => start(reader(root, anew)));
    await Promise.all(readers.map(({ ready }) => ready));
    let compactions = 0;
    const hasRead = ({ process, rounds }: Child) =>
      rounds() > 3 || process.exitCode !== null || process.signalCode !== null;
    for (let i = 0; i < 40 || compactions < 4 || !readers.every(hasRead); i++) {
      await step();
      if (commit % 5 === 0) compactions += (await store.compact()).droppedLines > 0 ? 1 : 0;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    for (const { process } of readers) process.stdin!.write('end\n');
    for (const { ended } of readers) {
      const { said, complaint } = await ended;
      expect(complaint).toBe('');
      expect(Number(said)).toBe(commit);
    }
    await store.close();
  });

  it('have one writer, whose name the others hear and whose death frees the lock', async () => {
    const root = join(folder, 'locked');
    const child = start(holder(root));
    await child.ready;
    await expect(FastStore.open(root, 'c')).rejects.toMatchObject({
      code: 'LOCKED',
      message: expect.stringContaining(`process ${child.process.pid}`),
    });
    const beside = await FastStore.open(root, 'c', { mode: 'read' });
    expect(beside.count).toBe(1);
    await beside.close();
    child.process.kill('SIGKILL');
    await child.ended;
    const store = await FastStore.open(root, 'c');
    expect(store.exists('mine')).toBe(true);
    await store.close();
  });
});
