/** Entries of drives as streams: out of one, into another, in pieces, and what happens to bad ones. */
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { DataStore, type DriveItem, driveSink, driveSource } from '../../../src/index.ts';

let folder = '';
const at = (name: string) => join(folder, name);
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'drive-streams-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const text = (payload?: Uint8Array) => Buffer.from(payload!).toString();

it('go into a drive, and from one drive into another', async () => {
  const items = Array.from({ length: 200 }, (_, i) => ({
    key: `k${i}`,
    payload: i % 50 === 0 ? [Buffer.from('in '), Buffer.from(`pieces ${i}`)] : Buffer.from(`v${i}`),
  }));
  const sink = driveSink(at('a'));
  await pipeline(Readable.from(items), sink);
  expect(sink.entries).toBe(200);
  await pipeline(driveSource(at('a')), driveSink(at('b')));
  const copy = await DataStore.open(at('b'), { mode: 'read' });
  expect([copy.len(), copy.recovery.cutBytes]).toEqual([200, 0]);
  expect([0, 1, 199].map((i) => text(copy.read(`k${i}`)?.payload))).toEqual([
    'in pieces 0',
    'v1',
    'v199',
  ]);
  await copy.close();
  const some: DriveItem[] = [];
  for await (const item of driveSource(at('b'), { keys: ['k7', 'k50'] })) some.push(item);
  // The source has closed its drive; what it gave can be read.
  expect(some.map(({ key, payload }) => [key, text(payload)])).toEqual([
    ['k7', 'v7'],
    ['k50', 'in pieces 50'],
  ]);
});

it('end with the first bad one; what came before stays', async () => {
  const bad = [{ key: 'a', payload: Buffer.from('x') }, { payload: Buffer.from('y') }];
  const lines = Readable.from(bad, { highWaterMark: 1 });
  await expect(pipeline(lines, driveSink(at('c')))).rejects.toThrow('a key or a keyHash');
  await expect(pipeline(Readable.from([{ key: 'a' }]), driveSink(at('c')))).rejects.toThrow(
    'has a payload',
  );
  const failing = {
    key: 'b',
    payload: (async function* () {
      yield Buffer.from('half');
      throw new Error('the source broke');
    })(),
  };
  await pipeline(Readable.from([{ key: 'a', payload: Buffer.from('kept') }]), driveSink(at('c')));
  await expect(pipeline(Readable.from([failing]), driveSink(at('c')))).rejects.toThrow('broke');
  await using store = await DataStore.open(at('c'));
  expect([store.len(), text(store.read('a')?.payload)]).toEqual([1, 'kept']);
  const missing = driveSource(at('c'), { keys: ['nothing'] });
  await expect(missing.toArray()).rejects.toMatchObject({ code: 'KEY_NOT_FOUND' });
  await expect(driveSource(at('none')).toArray()).rejects.toMatchObject({ code: 'INVALID_PATH' });
});

/** Gives what it is given, and then nothing any more; tells when that is waited for. */
async function* stalling<T>(first: T, silent: () => void): AsyncGenerator<T> {
  yield first;
  silent();
  await new Promise(() => {});
}

it('close when they are destroyed while a payload or a key is waited for', async () => {
  const sink = driveSink(at('d'));
  await new Promise<void>((resolve) => {
    sink.write({ key: 'a', payload: Buffer.from('kept') });
    sink.write({ key: 'b', payload: stalling(Buffer.from('half'), resolve) });
  });
  const stop = new Error('stop');
  const failure = new Promise((resolve) => sink.once('error', resolve));
  sink.destroy(stop);
  expect(await failure).toBe(stop);
  // The lock is free, which is let go of last.
  await using store = await DataStore.open(at('d'));
  expect([store.len(), store.recovery.cutBytes]).toEqual([1, 0]);

  const controller = new AbortController();
  const { signal } = controller;
  const ignoring = () => new Writable({ objectMode: true, write: (_, __, done) => done() });
  const keys = stalling('a', () => controller.abort(stop));
  const copying = pipeline(driveSource(at('d'), { keys, signal }), ignoring());
  await expect(copying).rejects.toMatchObject({ name: 'AbortError', cause: stop });
  const source: Readable = driveSource(at('d'), { keys: stalling('a', () => source.destroy()) });
  source.resume();
  await once(source, 'close');
});
