import {
  appendFileSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import type { Place } from '../../../src/core/errors.ts';
import { createTailSource, tailSource } from '../../../src/sources/tail-source.ts';
import { follow, lines, upTo } from '../../support/follow.ts';
import { openDescriptors, sleep, temporaryFolder } from '../../support/stages.ts';

describe('tailSource', () => {
  it('gives lines as they are finished, and ends when it is idle', async () => {
    const path = join(temporaryFolder(), 'a.log');
    writeFileSync(path, lines(0, 3));
    // Node keeps one descriptor for all watching, once there has been any.
    expect(await tailSource(path, { idleMs: 1 }).toArray()).toHaveLength(3);
    const before = openDescriptors();
    const tail = follow(path, { idleMs: 400 });
    await tail.until(3);
    appendFileSync(path, `${lines(3, 5)}{"n":`);
    await tail.until(5);
    appendFileSync(path, '5}\n');
    await tail.until(6);
    expect(await tail.ended).toBeUndefined();
    expect(tail.seen).toEqual(upTo(6));
    expect(openDescriptors()).toBeLessThanOrEqual(before);
  });

  it.each([
    ['shorter', '{"n":2}\n', 1],
    ['as long', `{"n":2}${' '.repeat(20)}\n`, 1],
    ['the first, and shorter', '{"n":2}\n', 0],
  ])('gives what came in the place of a torn last line: %s', async (_, line, before) => {
    const path = join(temporaryFolder(), 'a.jsonl');
    writeFileSync(path, `${lines(0, before)}${'{"n":9,"t":"'.padEnd(28, 'x')}`);
    const following = follow(path);
    await following.until(before);
    await sleep(20);
    truncateSync(path, 8 * before);
    appendFileSync(path, line);
    await following.until(before + 1);
    await following.stop();
    expect(following.seen).toEqual([...upTo(before), 2]);
  });

  it('follows a file that is renamed and made anew', async () => {
    const folder = temporaryFolder();
    const path = join(folder, 'a.log');
    writeFileSync(path, lines(0, 3));
    const tail = follow(path, { pollMs: 30 });
    await tail.until(3);
    appendFileSync(path, lines(3, 5));
    renameSync(path, `${path}.1`);
    appendFileSync(`${path}.1`, lines(5, 6));
    writeFileSync(path, lines(7, 9));
    // A writer that has not noticed yet.
    await sleep(10);
    appendFileSync(`${path}.1`, '{"n":6}');
    await tail.until(9);
    rmSync(`${path}.1`);
    appendFileSync(path, lines(9, 12));
    await tail.until(12);
    await tail.stop();
    expect(tail.seen).toEqual(upTo(12));
  });

  it('reads the new file though it is idle before the old one has been left', async () => {
    const path = join(temporaryFolder(), 'a.log');
    writeFileSync(path, lines(0, 3));
    const seen: unknown[] = [];
    for await (const { n } of tailSource(path, { pollMs: 100, idleMs: 10 })) {
      seen.push(n);
      if (n !== 2) continue;
      renameSync(path, `${path}.1`);
      writeFileSync(path, lines(3, 5));
    }
    expect(seen).toEqual(upTo(5));
  });

  it('follows a file that is copied and truncated, before and after all was read', async () => {
    const folder = temporaryFolder();
    const path = join(folder, 'a.log');
    writeFileSync(path, lines(0, 300));
    const tail = follow(path);
    await tail.until(300);
    copyFileSync(path, `${path}.1`);
    truncateSync(path, 0);
    appendFileSync(path, lines(300, 302));
    await tail.until(302);
    const cursor = await tail.stop();
    appendFileSync(path, lines(302, 400));
    copyFileSync(path, `${path}.2`);
    truncateSync(path, 0);
    appendFileSync(path, lines(400, 600));
    const again = follow(path, {}, cursor);
    await again.until(298);
    expect([...tail.seen, ...again.seen]).toEqual(upTo(600));
    await again.stop();
  });

  it.each([
    ['as it is', (text: string) => text, 'a.log.1'],
    ['compressed', gzipSync, 'a-20261121.log.gz'],
  ])('finds the rest of what was rotated while nobody read: %s', async (_, write, name) => {
    const folder = temporaryFolder();
    const path = join(folder, 'a.log');
    writeFileSync(path, lines(0, 300));
    const tail = follow(path);
    await tail.until(300);
    const cursor = await tail.stop();
    writeFileSync(join(folder, 'a.log.0'), lines(900, 990));
    // An older one, whatever its name says.
    utimesSync(join(folder, 'a.log.0'), 1, 1);
    writeFileSync(join(folder, name), write(lines(0, 310)));
    writeFileSync(path, lines(310, 320));
    const before = openDescriptors();
    const again = follow(path, {}, cursor);
    await again.until(20);
    expect(again.seen).toEqual(upTo(320, 300));
    const later = await again.stop();
    expect(openDescriptors()).toBeLessThanOrEqual(before);
    appendFileSync(path, lines(320, 321));
    const third = follow(path, {}, later);
    await third.until(1);
    await third.stop();
  });

  it.each([
    ['plain', (text: string) => text, (i: number) => `a.log.${i}`],
    ['compressed', gzipSync, (i: number) => `a-2026112${9 - i}.log.gz`],
  ])('misses nothing when there were several rotations: %s', async (_, write, nameOf) => {
    const folder = temporaryFolder();
    const path = join(folder, 'a.log');
    const rotated = async (i: number, text: string) => {
      writeFileSync(join(folder, nameOf(i)), write(text));
      await sleep(10);
    };
    await rotated(9, lines(900, 990));
    writeFileSync(path, lines(0, 300));
    const tail = follow(path);
    await tail.until(300);
    const cursor = await tail.stop();
    await rotated(3, lines(0, 310));
    await rotated(2, lines(310, 400));
    await rotated(1, lines(400, 401));
    writeFileSync(join(folder, 'a-other.log.1'), lines(900, 990));
    writeFileSync(path, lines(401, 410));
    const again = follow(path, { batchBytes: 200 }, cursor);
    await again.until(110);
    expect(again.seen).toEqual(upTo(410, 300));
    await again.stop();
    rmSync(path);
    const absent = follow(path, { idleMs: 50 }, cursor);
    expect(await absent.ended).toBeUndefined();
    expect(absent.seen).toEqual(upTo(401, 300));
  });

  it('looks once more when a slow receiver took longer than it may be idle', async () => {
    const path = join(temporaryFolder(), 'a.log');
    writeFileSync(path, lines(0, 3));
    const source = createTailSource(path, { pollMs: 5, idleMs: 20 });
    const seen: unknown[] = [];
    for await (const batch of source.batches(new AbortController().signal, {})) {
      seen.push(...batch.documents().map(({ n }) => n));
      await sleep(40);
      if (seen.length < 9) appendFileSync(path, lines(seen.length, seen.length + 3));
    }
    expect(seen).toEqual(upTo(9));
  });

  it.each([0, 1])('misses nothing when it is slower than the rotation: gzip %i', async (gzip) => {
    const folder = temporaryFolder();
    const path = join(folder, 'a.log');
    writeFileSync(path, lines(0, 3));
    const seen: unknown[] = [];
    for await (const document of tailSource(path, { pollMs: 5, idleMs: 200 })) {
      seen.push(document.n);
      if (document.n !== 2) continue;
      for (const n of [3, 4, 5]) {
        appendFileSync(path, lines(n, n + 1));
        for (let i = 5; i > 0; i--) {
          const name = i === 1 ? path : `${path}.${i - 1}`;
          if (existsSync(name)) renameSync(name, `${path}.${i}`);
        }
        await sleep(10);
      }
      if (gzip) {
        const { atime, mtime } = statSync(`${path}.3`);
        writeFileSync(`${path}.3.gz`, gzipSync(readFileSync(`${path}.3`)));
        utimesSync(`${path}.3.gz`, atime, mtime);
        rmSync(`${path}.3`);
      }
      writeFileSync(path, lines(6, 7));
    }
    expect(seen).toEqual(upTo(7));
  });

  it.each([
    ['truncated', (path: string) => writeFileSync(path, '')],
    ['replaced by something longer', (path: string) => writeFileSync(path, lines(400, 900))],
    [
      'changed in front of the place',
      (path: string) => writeFileSync(path, lines(0, 300).replace('299', '999')),
    ],
    ['removed', (path: string) => rmSync(path)],
  ])('says so when the rest is lost: %s', async (_, change) => {
    const path = join(temporaryFolder(), 'a.log');
    writeFileSync(path, lines(0, 300));
    const tail = follow(path);
    await tail.until(300);
    const cursor = await tail.stop();
    change(path);
    const again = follow(path, { idleMs: 50 }, cursor);
    expect(await again.ended).toMatchObject({ code: 'CURSOR_MISMATCH', place: { path } });
    const skipping = follow(path, { idleMs: 50, onLost: 'skip' }, cursor);
    expect(await skipping.ended).toBeUndefined();
  });

  it('follows many files, also those that come later', async () => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, 'b'));
    const pattern = join(folder, '**/*.log');
    const tail = follow(pattern);
    writeFileSync(join(folder, 'a.log'), lines(0, 2));
    await tail.until(2);
    writeFileSync(join(folder, 'b/c.log'), lines(2, 4));
    await tail.until(4);
    appendFileSync(join(folder, 'a.log'), lines(4, 5));
    await tail.until(5);
    const cursor = await tail.stop();
    appendFileSync(join(folder, 'b/c.log'), lines(5, 6));
    writeFileSync(join(folder, 'd.log'), lines(6, 7));
    const again = follow(pattern, {}, cursor);
    await again.until(2);
    expect(again.seen.sort()).toEqual([5, 6]);
    await again.stop();
  });

  it('lets go of files that are deleted, once it has read them', async () => {
    const folder = temporaryFolder();
    const pathOf = (n: number) => join(folder, `${n}.log`);
    const tail = follow(join(folder, '*.log'), { maxFiles: 3 });
    const opened = (count: number) =>
      expect.poll(() => openDescriptors(folder), { interval: 2, timeout: 5000 }).toBe(count);
    for (let n = 0; n < 8; n++) {
      // The last one without its line end.
      writeFileSync(pathOf(n), lines(n, n + 1).slice(0, n === 7 ? -1 : undefined));
      await tail.until(Math.min(n + 1, 7));
      await opened(1);
      rmSync(pathOf(n));
      await opened(0);
    }
    await tail.until(8);
    expect(tail.seen).toEqual(upTo(8));
    expect(await tail.stop()).toMatchObject({ files: [{ source: pathOf(7) }] });
  });

  it('misses nothing of a name that is away while its file is compressed', async () => {
    const folder = temporaryFolder();
    const [path, other] = [join(folder, 'a.log'), join(folder, 'b.log')];
    const rotate = (i: number) => {
      writeFileSync(`${path}.${i}.gz`, gzipSync(readFileSync(path)));
      rmSync(path);
    };
    writeFileSync(path, lines(0, 300));
    const tail = follow([path, other]);
    await tail.until(300);
    rotate(2);
    await expect.poll(() => openDescriptors(folder), { timeout: 5000 }).toBe(0);
    writeFileSync(other, lines(300, 301));
    await tail.until(301);
    const cursor = await tail.stop();
    writeFileSync(path, lines(301, 302));
    rotate(1);
    writeFileSync(path, lines(302, 303));
    const again = follow([path, other], {}, cursor);
    await again.until(2);
    await again.stop();
    expect(again.seen).toEqual([301, 302]);
  });

  it('begins at the end where that is asked for, with true places', async () => {
    const folder = temporaryFolder();
    const [path, mark] = [join(folder, 'a.log'), join(folder, 'mark.log')];
    writeFileSync(path, `${lines(0, 300)}{"n":`);
    const places: Place[] = [];
    const controller = new AbortController();
    const source = createTailSource([path, mark], { begin: 'end', pollMs: 5 });
    const reading = (async () => {
      for await (const batch of source.batches(controller.signal, {})) {
        for (let i = 0; i < batch.length; i++) places.push(batch.place(i));
      }
    })();
    const seen = (of: string) => places.filter((place) => place.path === of);
    // When it gives the first mark, it has been at all the ends.
    const marks = () => {
      appendFileSync(mark, lines(0, 1));
      return seen(mark).length;
    };
    await expect.poll(marks, { interval: 5, timeout: 10_000 }).toBeGreaterThan(0);
    appendFileSync(path, '300}\n');
    writeFileSync(join(folder, 'b.log'), lines(0, 1));
    await expect.poll(() => seen(path), { timeout: 10_000 }).toMatchObject([{ line: 301 }]);
    controller.abort();
    await expect(reading).rejects.toThrow();
    expect(seen(path).length + seen(mark).length).toBe(places.length);
  });

  it('refuses bad lines once, and lines that are too long once they end', async () => {
    const path = join(temporaryFolder(), 'a.log');
    writeFileSync(path, `bad\n{"n":0}\n${'x'.repeat(500)}`);
    const refused: (number | undefined)[] = [];
    const tail = follow(path, {
      maxLineBytes: 100,
      onError: ({ place }) => refused.push(place.line),
    });
    await tail.until(1);
    expect(refused).toEqual([1]);
    appendFileSync(path, `${'x'.repeat(500)}\n{"n":1}\n`);
    await tail.until(2);
    expect(refused).toEqual([1, 3]);
    await tail.stop();
  });

  it('makes batches of the size asked for, also of what has been rotated', async () => {
    const path = join(temporaryFolder(), 'a.log');
    writeFileSync(path, lines(0, 2000));
    const source = createTailSource(path, { batchBytes: 1000, pollMs: 5, idleMs: 30 });
    const sizes: number[] = [];
    let cursor: unknown;
    const readAll = async () => {
      const { signal } = new AbortController();
      for await (const batch of source.batches(signal, {}, cursor)) {
        sizes.push(batch.byteLength);
        ({ cursor } = batch);
      }
    };
    await readAll();
    const whole = lines(0, 2000).length;
    expect(sizes.reduce((sum, size) => sum + size)).toBe(whole);
    appendFileSync(path, lines(2000, 4000));
    renameSync(path, `${path}.1`);
    writeFileSync(path, lines(4000, 6000));
    await readAll();
    expect(sizes.reduce((sum, size) => sum + size)).toBe(lines(0, 6000).length);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(1000 + 20);
    expect(sizes.length).toBeGreaterThan(50);
  });

  it('has limits, and refuses foreign cursors', async () => {
    const folder = temporaryFolder();
    for (let n = 0; n < 5; n++) writeFileSync(join(folder, `${n}.log`), '');
    const many = follow(join(folder, '*.log'), { maxFiles: 4 });
    expect(await many.ended).toMatchObject({ code: 'INVALID_ARGUMENT' });
    expect(() => follow(folder, {}, { offset: 1 })).not.toThrow();
    const source = createTailSource(folder);
    expect(() => source.batches(new AbortController().signal, {}, { offset: 1 })).toThrow(
      expect.objectContaining({ code: 'CURSOR_MISMATCH' }),
    );
  });
});
