/**
 * Stores of every released version and of the published crate open forever. README.md says how they
 * were made; they are never rewritten, so each is opened in a copy.
 */
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { checkFolder, checkStore, goldenFolders, goldenStores } from '../support/golden.ts';

const fixtures = fileURLToPath(new URL('.', import.meta.url));
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'zds-golden-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('golden stores', () => {
  it.each(Object.keys(goldenStores))('%s', async (name) => {
    cpSync(join(fixtures, name), join(folder, name), { recursive: true });
    await checkStore(folder, name);
  });

  it.each(goldenFolders)('%s', async (name) => {
    cpSync(join(fixtures, name), join(folder, name), { recursive: true });
    await checkFolder(folder, name);
  });
});
