import { appendFileSync, copyFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { FollowedFile } from '../../../src/sources/tail-file.ts';
import { createTailSource } from '../../../src/sources/tail-source.ts';
import { afterTest } from '../../support/after-test.ts';
import { follow, lines, upTo } from '../../support/follow.ts';
import { temporaryFolder } from '../../support/stages.ts';

describe('a followed file that is copied and truncated', () => {
  it.each([
    ['before it is opened', true, 0, 200],
    ['before it is opened, and filled again', true, 60, 200],
    ['before it is read, and filled again', false, 60, 200],
  ])('misses nothing after a look: %s', async (_, isBefore, count, end) => {
    const path = join(temporaryFolder(), 'a.log');
    const { openGrown } = FollowedFile.prototype;
    const opening = vi.spyOn(FollowedFile.prototype, 'openGrown');
    afterTest(() => opening.mockRestore());
    writeFileSync(path, lines(0, 30));
    const tail = follow(path);
    await tail.until(30);
    opening.mockImplementationOnce(async function (this: FollowedFile) {
      const reader = isBefore ? undefined : await openGrown.call(this);
      copyFileSync(path, `${path}.1`);
      truncateSync(path, 0);
      appendFileSync(path, lines(40, 40 + count));
      return reader ?? openGrown.call(this);
    });
    appendFileSync(path, lines(30, 40));
    await tail.until(40 + count);
    appendFileSync(path, lines(40 + count, end));
    await tail.until(end);
    await tail.stop();
    expect(tail.seen).toEqual(upTo(end));
  });

  it('misses nothing while it is read', async () => {
    const path = join(temporaryFolder(), 'a.log');
    writeFileSync(path, lines(100, 300));
    const seen: unknown[] = [];
    const source = createTailSource(path, { pollMs: 5, idleMs: 50, batchBytes: 100 });
    for await (const batch of source.batches(new AbortController().signal, {})) {
      if (seen.length === 0) {
        copyFileSync(path, `${path}.1`);
        truncateSync(path, 0);
        appendFileSync(path, lines(300, 900));
      }
      seen.push(...batch.documents().map(({ n }) => n));
    }
    expect(seen).toEqual(upTo(900, 100));
  });
});
