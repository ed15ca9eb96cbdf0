/**
 * A real process killed while it writes a drive: everything whose write it was told of is there, whole and in
 * order. Uses the built package. ZDS_KILL_ROUNDS sets how often.
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { DataStore } from '../../src/store/index.ts';
import { built, builtModule } from '../support/lives.ts';

const ROUNDS = Number(process.env.ZDS_KILL_ROUNDS ?? 3);
const folder = mkdtempSync(join(tmpdir(), 'zds-drive-kill-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const child = (path: string) => `
  import { DataStore } from ${builtModule('store/drive/data-store')};
  const store = await DataStore.open(${JSON.stringify(path)});
  process.stdout.write('ready\\n');
  for (let n = store.len(); ; n++) {
    const size = n % 20 === 7 ? 700_000 : 10 + (n % 300);
    const payload = Buffer.alloc(size, (n % 255) + 1);
    if (n % 3 === 0) await store.writeStream('k' + n, [payload]);
    else await store.batchWrite([['gone', payload.subarray(0, 5)], ['k' + n, payload]]);
    await store.delete('gone');
    process.stdout.write((n + 1) + '\\n');
    if (n % 50 === 49) await store.compact();
  }
`;

/** Lets a child write, kills it; the number of the last write that it told of. */
function writeAndKill(path: string, ms: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const running = spawn(process.execPath, ['--input-type=module', '-e', child(path)]);
    let said = '';
    let complaint = '';
    running.stdout.on('data', (text: Buffer) => {
      if (said === '') setTimeout(() => running.kill('SIGKILL'), ms);
      said += text.toString();
    });
    running.stderr.on('data', (text: Buffer) => {
      complaint += text.toString();
    });
    running.once('close', () => {
      if (complaint !== '') reject(new Error(complaint));
      else resolve(Number(said.split('\n').at(-2)) || 0);
    });
  });
}

describe('a process that writes a drive and is killed', () => {
  it.skipIf(!existsSync(built))(
    `leaves all it was told of, ${ROUNDS} times`,
    async () => {
      const path = join(folder, 'd');
      let before = 0;
      for (let round = 0; round < ROUNDS; round++) {
        const told = Math.max(before, await writeAndKill(path, (round * 37) % 150));
        const store = await DataStore.open(path);
        expect((await store.verify()).ok).toBe(true);
        if (store.exists('gone')) await store.delete('gone');
        const count = store.len();
        expect(count).toBeGreaterThanOrEqual(told);
        expect(count).toBeLessThanOrEqual(told + 1);
        const wrong: number[] = [];
        for (let n = 0; n < count; n++) {
          const payload = store.read(`k${n}`)?.payload;
          const size = n % 20 === 7 ? 700_000 : 10 + (n % 300);
          const ends = [payload?.[0], payload?.at(-1)];
          if (payload?.length !== size || ends.some((byte) => byte !== (n % 255) + 1))
            wrong.push(n);
        }
        expect(wrong).toEqual([]);
        await store.close();
        before = count;
      }
    },
    20_000 + ROUNDS * 2_000,
  );
});
