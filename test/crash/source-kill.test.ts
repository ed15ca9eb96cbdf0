/**
 * Runs from every kind of source in real processes that are killed at random times and run again until
 * they are through: no document twice and none missing, and what the last run counted is what was left.
 * By default three kinds of source (a file, a server, files that are rotated) are killed once;
 * ZDS_KILL_ROUNDS sets the number of kills, and then every kind is met. The seed is printed.
 */
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it, onTestFinished } from 'vitest';
import { FastStore, verify } from '../../src/store/index.ts';
import { DOCUMENTS, killInputs } from '../support/kill-inputs.ts';
import { built, builtModule, live, seededRandom } from '../support/lives.ts';

const { ZDS_KILL_ROUNDS } = process.env;
const ROUNDS = Number(ZDS_KILL_ROUNDS ?? 1);
const KINDS = ZDS_KILL_ROUNDS ? Object.keys(killInputs) : ['http, by Range', 'tail'];
const SEED = Number(process.env.ZDS_KILL_SEED ?? Date.now() % 1e9);
const folder = mkdtempSync(join(tmpdir(), 'zds-source-kill-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
/** Every third document is filtered out; ids are made, so that one that comes twice is there twice. */
const kept = Array.from({ length: DOCUMENTS }, (_, n) => n).filter((n) => n % 3 !== 0);

/** Takes its time, so that a kill finds it at work; says a word once it has read, its account last. */
const script = (root: string, source: string, [kind] = /^[a-z]+/.exec(source)!) => `
  import { setTimeout as sleep } from 'node:timers/promises';
  import { run } from ${builtModule('pipeline/index')};
  import { zdsSink } from ${builtModule('sinks/zds-sink')};
  import { ${kind}Source } from ${builtModule(`sources/${kind}-source`)};
  import { filter } from ${builtModule('stages')};
  const slow = { name: 'slow', apply: async (batch) => (await sleep(1), [batch]) };
  const handle = run({
    name: 'load',
    source: ${source},
    transforms: [filter(({ n }) => n % 3 !== 0), slow],
    sink: zdsSink(${JSON.stringify(root)}, 'c', {
      write: 'append', commitDocuments: 50, generateIds: true,
    }),
    resume: true,
    progressMs: 0,
  });
  handle.on('progress', () => process.stdout.write(' '));
  const { outcome, read, written, filtered, rejected } = await handle;
  process.stdout.write(JSON.stringify({ outcome, read, written, filtered, rejected }));
`;

/** What is there is what the input has from its start on, filtered; answers how much. */
async function check(root: string): Promise<number> {
  if (!existsSync(join(root, 'collections', 'c', 'meta', 'commits.log'))) return 0;
  const store = await FastStore.open(root, 'c', { mode: 'read' });
  const seen: unknown[] = [];
  for await (const { n } of store.scan()) seen.push(n);
  await store.close();
  expect(seen.find((n, i) => n !== kept[i])).toBeUndefined();
  return seen.length;
}

describe.skipIf(!existsSync(built))(`a run that is killed, ${ROUNDS} times each`, () => {
  it.each(KINDS)(
    'loses nothing and repeats nothing: %s',
    async (kind) => {
      console.log(`ZDS_KILL_SEED=${SEED} (${kind})`);
      const next = seededRandom(SEED);
      const place = join(folder, kind.replaceAll(/\W/g, '-'));
      mkdirSync(place);
      const { source, grow } = await killInputs[kind]!(place);
      let root = join(folder, `${kind}-0`);
      // What is rotated before a run was ever there is not for it.
      if (grow?.()) expect(await live(script(root, source))).toMatchObject({ complaint: '' });
      let grows = grow !== undefined;
      const growing = setInterval(() => {
        grows &&= grow!();
      }, 20);
      onTestFinished(() => clearInterval(growing));
      let before = await check(root);
      for (let round = 0; round < ROUNDS; round++) {
        const { complaint } = await live(script(root, source), (running) => {
          setTimeout(() => running.kill('SIGKILL'), next() * 60);
        });
        expect(complaint).toBe('');
        const there = await check(root);
        expect(there).toBeGreaterThanOrEqual(before);
        before = there;
        if (grow || there < kept.length) continue;
        root = join(folder, `${kind}-${round + 1}`);
        before = 0;
      }
      const goOn = async () => {
        const life = await live(script(root, source));
        expect(life).toMatchObject({ code: 0, complaint: '' });
        return life.said;
      };
      let said = await goOn();
      // It ends when nothing has come for a while, as when this process had no turn.
      while (grows) {
        before = await check(root);
        said = await goOn();
      }
      const { outcome, read, written, filtered, rejected } = JSON.parse(said);
      expect({ outcome, rejected }).toEqual({ outcome: 'done', rejected: 0 });
      expect(await check(root)).toBe(kept.length);
      expect(written).toBe(kept.length - before);
      expect(filtered).toBe(read - written);
      expect(kept.filter((n) => n < DOCUMENTS - read)).toHaveLength(before);
      expect(await verify(root, 'c')).toMatchObject([{ ok: true, notices: 0 }]);
    },
    30_000 + ROUNDS * 4_000,
  );
});
