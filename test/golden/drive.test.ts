/** Drives as they were written once, by this package and by the crate, open forever. README.md tells of them. */
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { DataStore } from '../../src/store/index.ts';
import { entriesOf, smallDrive } from '../support/drive.ts';

it.each(['v1.drive', 'crate.drive'])('%s', async (name) => {
  const fixture = fileURLToPath(new URL(name, import.meta.url));
  const folder = mkdtempSync(join(tmpdir(), 'zds-golden-'));
  try {
    const path = join(folder, name);
    copyFileSync(fixture, path);
    const store = await DataStore.open(path);
    expect(store.recovery).toEqual({ cutBytes: 0 });
    expect([...entriesOf(store).values()]).toEqual([
      'last'.repeat(5).concat('l'),
      'again',
      '\0'.repeat(40),
      `${'s'.repeat(70)}end`,
    ]);
    await store.close();
    expect(readFileSync(path).equals(readFileSync(fixture))).toBe(true);
    expect(readFileSync(fixture).equals(await smallDrive())).toBe(true);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
