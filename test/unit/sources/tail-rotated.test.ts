/** Files that were rotated several times while nobody read them. */
import { appendFileSync, renameSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { follow, lines, upTo } from '../../support/follow.ts';
import { temporaryFolder } from '../../support/stages.ts';

const minuteAgo = Math.floor(Date.now() / 1000) - 60;

/** A file read up to 2, and the cursor; then lines up to 8 in four files, the last one at the name. */
async function rotated(names: readonly string[], seconds: readonly number[], zip = false) {
  const folder = temporaryFolder();
  const path = join(folder, 'a.log');
  writeFileSync(path, lines(0, 2));
  const tail = follow(path);
  await tail.until(2);
  const cursor = await tail.stop();
  const texts = [lines(0, 3), lines(3, 5), lines(5, 7)];
  for (const [i, name] of names.entries()) {
    const file = join(folder, zip ? `${name}.gz` : name);
    if (i === 0 && !zip) renameSync(path, file);
    writeFileSync(file, zip ? gzipSync(texts[i]!) : texts[i]!);
    utimesSync(file, minuteAgo + seconds[i]!, minuteAgo + seconds[i]!);
  }
  writeFileSync(path, lines(7, 8));
  utimesSync(path, minuteAgo + seconds[3]!, minuteAgo + seconds[3]!);
  return { path, cursor };
}

const numbered = ['a.log.3', 'a.log.2', 'a.log.1'];

describe('files rotated while nobody read', () => {
  it.each([
    ['at different times', [0, 1, 2, 3]],
    ['the last two at once', [0, 1, 1, 3]],
    ['the first two at once', [0, 0, 1, 3]],
    ['all at once', [0, 0, 0, 0]],
  ])('are read in order: %s', async (_, seconds) => {
    const dated = ['a.log.20240102', 'a.log.20240103', 'a.log.20240110'];
    const tenth = ['a.log.11', 'a.log.10', 'a.log.9'];
    for (const names of [numbered, tenth, dated]) {
      for (const zip of [false, true]) {
        const { path, cursor } = await rotated(names, seconds, zip);
        const tail = follow(path, {}, cursor);
        await tail.until(6);
        await tail.stop();
        expect(tail.seen).toEqual(upTo(8, 2));
      }
    }
  });

  it('are not what was read, put in place anew with its time', async () => {
    const path = join(temporaryFolder(), 'a.log');
    writeFileSync(path, lines(0, 2));
    utimesSync(path, minuteAgo, minuteAgo);
    const tail = follow(path);
    await tail.until(2);
    renameSync(path, `${path}.1`);
    writeFileSync(path, '');
    await tail.until(2);
    writeFileSync(`${path}~`, lines(0, 2));
    utimesSync(`${path}~`, minuteAgo, minuteAgo);
    renameSync(`${path}~`, `${path}.1`);
    await tail.until(2);
    appendFileSync(path, lines(2, 3));
    await tail.until(3);
    await tail.stop();
    expect(tail.seen).toEqual([0, 1, 2]);
  });

  it('are known though the new file had no line when the cursor was made', async () => {
    const folder = temporaryFolder();
    const [a, b] = [join(folder, 'a.log'), join(folder, 'b.log')];
    writeFileSync(a, lines(0, 1));
    writeFileSync(b, lines(10, 11));
    const tail = follow([a, b]);
    await tail.until(2);
    renameSync(a, `${a}.1`);
    writeFileSync(a, '{"n":');
    await tail.until(2);
    appendFileSync(b, lines(11, 12));
    await tail.until(3);
    const cursor = await tail.stop();
    appendFileSync(a, '1}\n');
    renameSync(`${a}.1`, `${a}.2`);
    renameSync(a, `${a}.1`);
    writeFileSync(a, lines(2, 3));
    const again = follow([a, b], {}, cursor);
    await again.until(2);
    await again.stop();
    expect(again.seen).toEqual([1, 2]);
  });
});
