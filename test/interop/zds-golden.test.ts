/**
 * The golden stores made again by the published crate and by us as we are now: they must be what
 * those in test/golden are. ZDS_INTEROP=1 runs it; ZDS_GOLDEN=FOLDER keeps what was made.
 */
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { makeGolden } from '../../conformance/make-golden.ts';
import { Oracle, whyNoOracle } from '../../conformance/oracle.ts';
import { checkFolder, checkStore, goldenFolders, goldenStores } from '../support/golden.ts';

const reason = whyNoOracle();

describe.skipIf(reason)(`golden stores made today${reason ? ` (skipped: ${reason})` : ''}`, () => {
  it('are what those of old are', async () => {
    const oracle = Oracle.start();
    const folder = mkdtempSync(join(tmpdir(), 'zds-golden-'));
    try {
      await makeGolden(oracle, folder);
      const keep = process.env.ZDS_GOLDEN;
      if (keep) cpSync(folder, keep, { recursive: true, force: false, errorOnExist: true });
      for (const name of Object.keys(goldenStores)) await checkStore(folder, name);
      for (const name of goldenFolders) await checkFolder(folder, name);
      expect(goldenFolders).toHaveLength(2);
    } finally {
      oracle.stop();
      rmSync(folder, { recursive: true });
    }
  }, 300_000);
});
