/**
 * A load in a real process, killed at random times and started again from its cursor until it is
 * through: after every kill exactly the commits that were acknowledged are there (and at most one
 * more, whole), and at the end every document once. Compactions run in between, so that kills meet
 * those, too. ZDS_KILL_ROUNDS sets the number of kills; the seed is printed.
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { FastStore, verify } from '../../src/store/index.ts';
import { built, builtModule, seededRandom } from '../support/lives.ts';

const ROUNDS = Number(process.env.ZDS_KILL_ROUNDS ?? 3);
const SEED = Number(process.env.ZDS_KILL_SEED ?? Date.now() % 1e9);
const BATCH = 40;
const folder = mkdtempSync(join(tmpdir(), 'zds-kill-rounds-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/**
 * Writes from the cursor on; document `n` replaces `n - 1` of a counter beside, which leaves dead
 * lines. Says every commit that it heard of.
 */
const child = (root: string, until: number) => `
  import { FastStore } from ${builtModule('store/fast-store')};
  const store = await FastStore.open(${JSON.stringify(root)}, 'c');
  let n = (await store.cursor('load')) ?? 0;
  process.stdout.write('at ' + n + '\\n');
  for (let commit = 0; n < ${until}; commit++) {
    for (let i = 0; i < ${BATCH}; i++, n++) {
      store.put('d' + n, { n, pad: 'x'.repeat(300) });
      store.put('counter', { n });
    }
    await store.flush({ cursor: n, loadId: 'load' });
    process.stdout.write(n + '\\n');
    if (commit % 10 === 9) await store.compact();
  }
  await store.close();
  process.stdout.write('done\\n');
`;

interface Life {
  /** The last cursor that the process said is committed. */
  readonly told: number;
  readonly done: boolean;
  readonly complaint: string;
}

/** Runs the load; kills it so many milliseconds after its first word, if given. */
function run(root: string, until: number, killAfterMs?: number): Promise<Life> {
  return new Promise((resolve) => {
    const script = child(root, until);
    const running = spawn(process.execPath, ['--input-type=module', '-e', script]);
    let said = '';
    let complaint = '';
    running.stdout.on('data', (text: Buffer) => {
      if (said === '' && killAfterMs !== undefined) {
        setTimeout(() => running.kill('SIGKILL'), killAfterMs);
      }
      said += text.toString();
    });
    running.stderr.on('data', (text: Buffer) => {
      complaint += text.toString();
    });
    running.once('close', () => {
      const lines = said.slice(0, said.lastIndexOf('\n') + 1).split('\n');
      const numbers = lines.map((line) => Number(line.replace('at ', ''))).filter(Number.isInteger);
      resolve({ told: Math.max(0, ...numbers), done: lines.includes('done'), complaint });
    });
  });
}

async function check(root: string, told: number): Promise<number> {
  const store = await FastStore.open(root, 'c', { mode: 'read' });
  const cursor = ((await store.cursor('load')) as number | undefined) ?? 0;
  expect(cursor).toBeGreaterThanOrEqual(told);
  expect(cursor).toBeLessThanOrEqual(told + BATCH);
  expect(cursor % BATCH).toBe(0);
  const counters: unknown[] = [];
  const wrong: unknown[] = [];
  let seen = 0;
  for await (const { _id, n } of store.scan()) {
    if (_id === 'counter') counters.push(n);
    else {
      if (_id !== `d${n}` || n !== seen) wrong.push({ _id, n, seen });
      seen++;
    }
  }
  expect(counters).toEqual(cursor > 0 ? [cursor - 1] : []);
  expect({ seen, wrong }).toEqual({ seen: cursor, wrong: [] });
  await store.close();
  return cursor;
}

describe('a load that is killed', () => {
  it.skipIf(!existsSync(built))(
    `is whole after each of ${ROUNDS} kills, and at the end every document is there once`,
    async () => {
      console.log(`ZDS_KILL_SEED=${SEED}`);
      const root = join(folder, 'store');
      const next = seededRandom(SEED);
      let cursor = 0;
      for (let round = 0; round < ROUNDS; round++) {
        const { told, complaint } = await run(root, Number.POSITIVE_INFINITY, next() * 120);
        expect(complaint).toBe('');
        if (existsSync(join(root, 'collections', 'c', 'meta', 'commits.log'))) {
          cursor = await check(root, Math.max(told, cursor));
        }
      }
      const until = cursor + 5 * BATCH;
      const last = await run(root, until);
      expect(last).toMatchObject({ done: true, told: until, complaint: '' });
      expect(await check(root, until)).toBe(until);
      expect(await verify(root, 'c')).toMatchObject([{ ok: true, notices: 0 }]);
    },
    30_000 + ROUNDS * 2_000,
  );
});
