/** Parts of payloads, mapped and read. */
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { native } from '../../../../src/io/native.ts';
import { DataStore } from '../../../../src/store/index.ts';

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'zds-parts-'));
  path = join(folder, 'd.bin');
});
afterEach(() => rmSync(folder, { recursive: true }));

it('reads short files where that is asked for, and parts of payloads alone', async () => {
  const payload = Buffer.from(Array.from({ length: 100_000 }, (_, i) => i % 251));
  const store = await DataStore.open(path);
  await store.write('k', payload);
  await store.close();
  const whole = readFileSync(path);
  for (const [mapFrom, way] of [
    [200_000, 'read'],
    [100_000, native() ? 'map' : 'read'],
  ] as const) {
    const reader = await DataStore.open(path, { mode: 'read', mapFrom });
    expect(reader.way).toBe(way);
    const entry = reader.read('k')!;
    expect(Buffer.compare(entry.part(777, 99_000), payload.subarray(777, 99_000))).toBe(0);
    expect(entry.part(100_000, 100_000).length).toBe(0);
    expect(() => entry.part(5, 100_001)).toThrow('the payload has 100000 bytes');
    expect(() => entry.part(6, 5)).toThrow('the payload has 100000 bytes');
    for (const [begin, end] of [
      [777, 99_000],
      [5, 6],
    ] as const) {
      const fetched = await entry.fetchPart(begin, end);
      expect(Buffer.compare(fetched, payload.subarray(begin, end))).toBe(0);
      // Mapped memory says so by refusing a transfer.
      const isMapped = native() !== undefined && (way === 'map' || end - begin > 64 << 10);
      expect(Object.hasOwn(fetched.buffer, 'transfer')).toBe(isMapped);
    }
    await expect(entry.fetchPart(5, 100_001)).rejects.toThrow('the payload has 100000 bytes');
    if (way === 'read') {
      truncateSync(path, 50_000);
      await expect(entry.fetchPart(0, 100_000)).rejects.toMatchObject({ code: 'IO_ERROR' });
      writeFileSync(path, whole);
    }
    await reader.close();
  }
});
