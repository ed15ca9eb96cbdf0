import { spawn } from 'node:child_process';
import {
  appendFileSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { nodeDisk, openReader, takeLock } from '../../../src/io/index.ts';
import { native } from '../../../src/io/native.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'zds-io-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe.each(['auto', 'read'] as const)('openReader, use %s', (use) => {
  it('reads text and bytes anywhere, also what comes later and across windows', () => {
    const path = join(folder, 'f');
    const windowBytes = 64 << 10;
    let whole = Buffer.from('é日x'.repeat(40_000));
    writeFileSync(path, whole);
    const reader = openReader(path, { use, windowBytes });
    const agree = () => {
      for (const [offset, length] of [
        [0, 5],
        [windowBytes - 3, 6],
        [windowBytes, 1],
        [2 * windowBytes - 1, windowBytes + 2],
        [whole.length - 4, 4],
        [whole.length, 0],
      ] as const) {
        expect(reader.text(offset, length)).toBe(whole.toString('utf8', offset, offset + length));
        expect(
          Buffer.from(reader.view(offset, length)).equals(whole.subarray(offset, offset + length)),
        ).toBe(true);
      }
    };
    agree();
    appendFileSync(path, 'more');
    whole = Buffer.concat([whole, Buffer.from('more')]);
    agree();
    expect(() => reader.view(whole.length - 1, 2)).toThrow(/past the end/);
    reader.close();
    reader.close();
    expect(() => reader.text(0, 1)).toThrow(/closed/);
  });

  it('shows bytes until the next call', () => {
    const path = join(folder, 'f');
    writeFileSync(path, 'abc');
    const reader = openReader(path, { use });
    expect(Buffer.from(reader.view(1, 2)).toString()).toBe('bc');
    expect(Buffer.from(reader.view(0, 3)).toString()).toBe('abc');
    reader.close();
    expect(() => reader.view(0, 1)).toThrow(/closed/);
  });
});

describe('takeLock', () => {
  it.skipIf(native() === undefined)(
    'is exclusive, names its holder, and goes with its process',
    async () => {
      const path = join(folder, '.zds', 'lock');
      const lock = takeLock(path);
      const [pid, host, time] = readFileSync(path, 'utf8').split('\n');
      expect([pid, host]).toEqual([`pid=${process.pid}`, `hostname=${hostname()}`]);
      expect(Date.parse(time!.replace('timestamp=', ''))).toBeGreaterThan(0);
      expect(() => takeLock(path)).toThrow(new RegExp(`process ${process.pid} on ${hostname()}`));
      await lock.release();
      expect(existsSync(path)).toBe(false);
      await lock.release();
      const held = takeLock(path);
      await held.release();
      // A file that nobody locks blocks nobody, whatever it says.
      writeFileSync(path, `${process.pid}\n${hostname()}\n`);
      await takeLock(path).release();
    },
  );

  it('without flock takes no earlier process of its id for itself, but its threads', async () => {
    const path = join(folder, 'lock');
    const name = (timestamp: string) =>
      writeFileSync(path, `pid=${process.pid}\nhostname=${hostname()}\ntimestamp=${timestamp}\n`);
    for (const timestamp of ['2020-01-01T00:00:00.000Z', '']) {
      name(timestamp);
      const lock = takeLock(path, { use: 'file' });
      // Also when the clock was set.
      name('2020-01-01T00:00:00.000Z');
      expect(() => takeLock(path, { use: 'file' })).toThrow(/held by process/);
      await lock.release();
    }
    // As another thread of this process would have written it.
    name(new Date().toISOString());
    expect(() => takeLock(path, { use: 'file' })).toThrow(/held by process/);
  });

  it('goes by the file where the file system has no locks', async () => {
    vi.resetModules();
    vi.doMock('../../../src/io/native.ts', async (original) => ({
      ...(await original<object>()),
      native: () => ({ flock: () => 'unknown' }),
    }));
    const other = await import('../../../src/io/lock.ts');
    vi.doUnmock('../../../src/io/native.ts');
    const path = join(folder, 'lock');
    const lock = other.takeLock(path);
    expect(() => other.takeLock(path)).toThrow(/held by process/);
    await lock.release();
    await other.takeLock(path).release();
  });

  it('without flock goes by the process that the file names', async () => {
    const path = join(folder, 'lock');
    const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)']);
    try {
      for (const name of [
        `${child.pid}\n${hostname()}`,
        `pid=${child.pid}\nhostname=${hostname()}`,
      ]) {
        writeFileSync(path, `${name}\nthen\n`);
        expect(() => takeLock(path, { use: 'file' })).toThrow(
          expect.objectContaining({ code: 'LOCKED' }),
        );
      }
    } finally {
      const gone = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGKILL');
      await gone;
    }
    const lock = takeLock(path, { use: 'file' });
    expect(readFileSync(path, 'utf8')).toContain(`${process.pid}\n`);
    await lock.release();
  });
});

describe('nodeDisk', () => {
  it('reads, writes, cuts, lists and renames', async () => {
    const path = join(folder, 'a', 'f');
    expect(await nodeDisk.stat(path)).toBeUndefined();
    await expect(nodeDisk.open(path, 'read')).rejects.toMatchObject({
      code: 'IO_ERROR',
      place: { path },
    });
    await nodeDisk.mkdir(join(folder, 'a'));
    const file = await nodeDisk.open(path, 'create');
    await file.write(Buffer.from('hello'), 0);
    file.writeSync(Buffer.from('J'), 0);
    await file.sync();
    file.syncSync();
    const target = new Uint8Array(10);
    expect(await file.read(target, 1)).toBe(4);
    expect(file.readSync(target, 5)).toBe(0);
    await file.truncate(2);
    expect(await file.size()).toBe(2);
    await file.close();
    await file.close();
    await nodeDisk.rename(path, `${path}2`);
    await nodeDisk.syncDir(join(folder, 'a'));
    expect(await nodeDisk.list(join(folder, 'a'))).toEqual([{ name: 'f2', kind: 'file' }]);
    expect(await nodeDisk.stat(`${path}2`)).toMatchObject({ kind: 'file', size: 2 });
    await nodeDisk.remove(`${path}2`);
    await nodeDisk.remove(`${path}2`);
    await expect(nodeDisk.removeFolder(folder)).rejects.toMatchObject({ code: 'IO_ERROR' });
    await nodeDisk.removeFolder(join(folder, 'a'));
    expect(await nodeDisk.stat(join(folder, 'a'))).toBeUndefined();
    await expect(nodeDisk.list(join(folder, 'b'))).rejects.toMatchObject({ code: 'IO_ERROR' });
  });

  it.each(['map', 'read'] as const)('shows bytes of a file while it is open: %s', async (way) => {
    const file = await nodeDisk.open(join(folder, 'f'), 'create');
    await file.write(Buffer.from('abcdef'), 0);
    const view = file.view(way);
    view.extend(4);
    const seen = (offset: number, length: number) => {
      const at = view.seek(offset, length);
      const sought = Buffer.from(view.memory.subarray(at, at + length)).toString();
      expect(Buffer.from(view.bytes(offset, length)).toString()).toBe(sought);
      return sought;
    };
    // The second time of a turn takes the short way.
    for (let i = 0; i < 2; i++) {
      expect(seen(1, 3)).toBe('bcd');
      expect(() => seen(1, 4)).toThrow(/past the end/);
      expect(() => view.bytes(-1, 1)).toThrow(/past the end/);
    }
    view.extend(6);
    expect(seen(3, 3)).toBe('def');
    view.close();
    expect(() => view.bytes(0, 0)).toThrow(/closed/);
    expect(() => view.seek(0, 1)).toThrow(/closed/);
    await file.close();
  });

  it.runIf(native())('looks in every turn whether a mapped file became shorter', async () => {
    const file = await nodeDisk.open(join(folder, 'f'), 'create');
    await file.write(Buffer.from('abc'), 0);
    const view = file.view('map');
    view.extend(3);
    for (let i = 0; i < 2; i++) expect(view.bytes(0, 3)[2]).toBe(0x63);
    await file.truncate(1);
    expect(() => view.bytes(0, 1)).toThrow(/cut to 1 bytes/);
    expect(() => view.bytes(0, 1)).toThrow(/closed/);
    await file.close();
  });
});

describe('making folders', () => {
  it('makes those that it stands in, again and beside others', async () => {
    const path = join(folder, 'a/b/c');
    await Promise.all([path, path, join(folder, 'a/x')].map((each) => nodeDisk.mkdir(each)));
    await nodeDisk.mkdir(path);
    expect((await nodeDisk.list(join(folder, 'a'))).map(({ name }) => name).sort()).toEqual([
      'b',
      'x',
    ]);
  });

  it('says why where there is a file in the way', async () => {
    writeFileSync(join(folder, 'f'), '');
    for (const [name, reason] of [
      ['f', 'EEXIST'],
      ['f/a/b', 'ENOTDIR'],
    ] as const) {
      const made = nodeDisk.mkdir(join(folder, name));
      await expect(made).rejects.toMatchObject({
        code: 'IO_ERROR',
        message: expect.stringContaining(reason),
        place: { path: join(folder, name) },
      });
    }
  });

  it.skipIf(!existsSync('/proc/self'))('ends where the system lets nothing be made', async () => {
    for (const path of ['/proc/x', '/proc/x/y/z']) {
      await expect(nodeDisk.mkdir(path)).rejects.toMatchObject({ code: 'IO_ERROR' });
      expect(() => takeLock(join(path, 'lock'))).toThrow(/cannot lock: .*ENOENT/);
    }
  });
});
