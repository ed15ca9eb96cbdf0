import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { built, builtModule } from '../../support/lives.ts';
import { temporaryFolder } from '../../support/stages.ts';

/** In a process of its own: waiting for nothing in a loop stops the timers of whoever looks on, too. */
const write = (path: string, maxMemory: number, size: number) =>
  spawnSync(
    process.execPath,
    [
      '--input-type=module',
      '-e',
      `
      import { createFileWriter } from ${builtModule('io/file-writer')};
      const writer = await createFileWriter(${JSON.stringify(path)}, ${maxMemory});
      let given = 0;
      let most = 0;
      for (let i = 0; i < 3000; i++) {
        await writer.write(new Uint8Array(${size}).fill(i));
        given += ${size};
        most = Math.max(most, given - writer.released);
      }
      console.log(most, await writer.finish());
      `,
    ],
    { encoding: 'utf8', timeout: 20_000 },
  );

describe.skipIf(!existsSync(built))('a file writer', () => {
  it.each([
    [0, 7],
    [1, 1],
    [256 << 10, 400],
    [(2 << 20) - 2, 1000],
    [32 << 20, 1000],
  ])('of %i bytes ends, holds no more, and keeps the order of pieces of %i', (maxMemory, size) => {
    const path = join(temporaryFolder(), 'a');
    const { status, stdout } = write(path, maxMemory, size);
    expect(status).toBe(0);
    const [most, written] = stdout.split(' ').map(Number);
    expect(written).toBe(3000 * size);
    expect(most).toBeLessThanOrEqual(Math.max(maxMemory, 2 << 20) + 2 * size);
    if (maxMemory < 1 << 20) expect(most).toBeLessThanOrEqual(maxMemory + 2 * size);
    const bytes = readFileSync(path);
    expect(bytes.length).toBe(3000 * size);
    expect(bytes.every((byte, at) => byte === (Math.floor(at / size) & 255))).toBe(true);
  });
});
