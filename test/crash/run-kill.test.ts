/**
 * Runs in a real process that is killed at random times and run again until they are through: no
 * document twice and none missing, from plain and compressed files, with ids of their own and made
 * ones. And signals: the first stops a run in good order, the second ends the process.
 * ZDS_KILL_ROUNDS sets the number of kills for each kind; the seed is printed.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, describe, expect, it } from 'vitest';
import { FastStore, listRuns, verify } from '../../src/store/index.ts';
import { built, builtModule, live, seededRandom } from '../support/lives.ts';

const ROUNDS = Number(process.env.ZDS_KILL_ROUNDS ?? 2);
const SEED = Number(process.env.ZDS_KILL_SEED ?? Date.now() % 1e9);
const DOCUMENTS = 6000;
const folder = mkdtempSync(join(tmpdir(), 'zds-run-kill-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Filters every third document out; takes its time so that a kill finds it at work. */
const child = (root: string, input: string, ids: 'own' | 'made') => `
  import { run } from ${builtModule('pipeline/index')};
  import { zdsSink } from ${builtModule('sinks/zds-sink')};
  import { jsonlSource } from ${builtModule('sources/jsonl-source')};
  import { filter } from ${builtModule('stages')};
  import { setTimeout as sleep } from 'node:timers/promises';
  const slow = { name: 'slow', apply: async (batch) => (await sleep(1), [batch]) };
  const handle = run({
    name: 'load',
    source: jsonlSource(${JSON.stringify(input)}, { batchBytes: 4096 }),
    transforms: [filter(({ n }) => n % 3 !== 0), slow],
    sink: zdsSink(${JSON.stringify(root)}, 'c', {
      write: 'append', commitDocuments: 50, generateIds: ${ids === 'made'},
    }),
    resume: true,
    signals: true,
    progressMs: 0,
  });
  handle.on('progress', ({ read }) => process.stdout.write(read + '\\n'));
  const { outcome } = await handle;
  process.stdout.write(outcome + '\\n');
`;

/** A life with the last word of its run, if it came to that. */
async function lead(...args: Parameters<typeof live>) {
  const { said, ...rest } = await live(...args);
  return { outcome: /done|stopped/.exec(said)?.[0], ...rest };
}

/** What is there is what the input has from its start on, filtered; answers how much. */
async function check(root: string): Promise<number> {
  if (!existsSync(join(root, 'collections', 'c', 'meta', 'commits.log'))) return 0;
  const store = await FastStore.open(root, 'c', { mode: 'read' });
  const seen: number[] = [];
  for await (const { n } of store.scan()) seen.push(n as number);
  await store.close();
  const all = Array.from({ length: DOCUMENTS }, (_, n) => n).filter((n) => n % 3 !== 0);
  expect(seen).toEqual(all.slice(0, seen.length));
  return seen.length;
}

describe.skipIf(!existsSync(built))('a run in a process', () => {
  const inputs = { own: join(folder, 'own.jsonl'), made: join(folder, 'made.jsonl.gz') };
  const text = (id: (n: number) => object) =>
    Array.from({ length: DOCUMENTS }, (_, n) => `${JSON.stringify({ ...id(n), n })}\n`).join('');
  writeFileSync(
    inputs.own,
    text((n) => ({ _id: `d${n}`, pad: 'x'.repeat(40) })),
  );
  writeFileSync(inputs.made, gzipSync(text(() => ({ pad: 'x'.repeat(60) }))));

  it.each(['own', 'made'] as const)(
    `that is killed ${ROUNDS} times loses nothing and repeats nothing: %s ids`,
    async (ids) => {
      console.log(`ZDS_KILL_SEED=${SEED}`);
      const next = seededRandom(SEED);
      const whole = (DOCUMENTS / 3) * 2;
      let root = join(folder, `${ids}-0`);
      let before = 0;
      for (let round = 0; round < ROUNDS; round++) {
        const { complaint } = await lead(child(root, inputs[ids], ids), (running) => {
          setTimeout(() => running.kill('SIGKILL'), next() * 100);
        });
        expect(complaint).toBe('');
        const there = await check(root);
        expect(there).toBeGreaterThanOrEqual(before);
        before = there;
        if (there === whole) {
          root = join(folder, `${ids}-${round + 1}`);
          before = 0;
        }
      }
      const last = await lead(child(root, inputs[ids], ids));
      expect(last).toEqual({ outcome: 'done', code: 0, complaint: '' });
      expect(await check(root)).toBe(whole);
      expect(await verify(root, 'c')).toMatchObject([{ ok: true, notices: 0 }]);
    },
    30_000 + ROUNDS * 4_000,
  );

  it('stops in good order at SIGTERM, and goes on from there', { timeout: 30_000 }, async () => {
    const root = join(folder, 'signals');
    const script = child(root, inputs.own, 'own');
    const stopped = await lead(script, (running) => running.kill('SIGTERM'));
    expect(stopped).toEqual({ outcome: 'stopped', code: 0, complaint: '' });
    const there = await check(root);
    expect(there).toBeGreaterThan(0);
    const done = await lead(script);
    expect(done).toEqual({ outcome: 'done', code: 0, complaint: '' });
    const totals = (await listRuns(root, 'c')).map((each) => each.totals);
    expect(totals).toMatchObject([{ outcome: 'stopped', written: there }, { outcome: 'done' }]);
    expect(totals[0]!.read + totals[1]!.read).toBe(DOCUMENTS);
  });

  it.each([
    ['a timer', '(resolve) => setTimeout(resolve, 60_000)'],
    [
      'the operating system',
      `() => import('node:fs').then((fs) => fs.open('PIPE', 'w', () => {}))`,
    ],
  ])(
    'ends at once at a second signal, though it waits for %s',
    async (_, wait) => {
      const pipe = join(folder, 'pipe');
      if (!existsSync(pipe)) execFileSync('mkfifo', [pipe]);
      const stuck = `
      import { run } from ${builtModule('pipeline/index')};
      import { fromIterable } from ${builtModule('sources/from-iterable')};
      const sink = {
        name: 'stuck',
        open: async () => {},
        write: () => new Promise(${wait.replace('PIPE', pipe)}),
        finish: async () => ({}),
        abort: async () => {},
      };
      process.stdout.write('here\\n');
      await run({ name: 'x', source: fromIterable([{ n: 1 }]), sink, signals: true });
    `;
      const life = await lead(stuck, (running) => {
        setTimeout(() => running.kill('SIGINT'), 100);
        setTimeout(() => running.kill('SIGINT'), 300);
      });
      expect(life).toEqual({ outcome: undefined, code: null, complaint: '' });
    },
    30_000,
  );
});
