/** Lookups without an index answer as the drive does, and leave to it what is not in plain order. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { nodeDisk } from '../../../../src/io/index.ts';
import { openLookup } from '../../../../src/store/drive/chain-lookup.ts';
import { DataStore } from '../../../../src/store/index.ts';

let folder = '';
let path = '';
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'lookup-'));
  path = join(folder, 'some.drive');
  await using drive = await DataStore.open(path);
  for (const key of ['first', 'again', 'gone', 'again']) await drive.write(key, payloadOf(key));
  await drive.write('again', Buffer.from('the newest'));
  await drive.delete('gone');
});
afterEach(() => rmSync(folder, { recursive: true }));

const payloadOf = (key: string): Buffer => Buffer.from(key.repeat(1000));
const open = () => openLookup(nodeDisk, path, Number.POSITIVE_INFINITY);

it('finds the newest of each key, however often it is asked for', async () => {
  await using drive = await DataStore.open(path, { mode: 'read' });
  const lookup = (await open())!;
  for (const key of ['again', 'first', 'gone', 'never', 'again', 'first', 'gone']) {
    const found = lookup.read(key);
    const expected = drive.read(key);
    expect(found?.offsetRange).toEqual(expected?.offsetRange);
    expect(found?.copy()).toEqual(expected?.copy());
  }
  await lookup.close();
});

it('leaves a drive that somebody writes to, or whose end is torn, to the drive', async () => {
  const drive = await DataStore.open(path);
  await drive.write('more', Buffer.from('more'));
  const { endOffset } = drive.read('more')!;
  expect(await open()).toBeUndefined();
  await drive.close();
  const lookup = await open();
  expect(lookup?.read('more')?.size).toBe(4);
  await lookup?.close();
  const whole = readFileSync(path);
  for (const damaged of [
    whole.fill('?', endOffset - 1, endOffset),
    whole.subarray(0, -1),
    whole.subarray(0, 10),
    whole.subarray(0, 0),
  ]) {
    writeFileSync(path, damaged);
    expect(await open()).toBeUndefined();
  }
});

it('ends where the chain breaks off', async () => {
  const lookup = (await open())!;
  const { endOffset } = lookup.read('first')!;
  await lookup.close();
  // The metadata of the oldest record says that more was in front of it than there is.
  const file = await nodeDisk.open(path, 'write');
  await file.write(Buffer.alloc(8, 0xff), endOffset + 8);
  await file.close();
  const broken = (await open())!;
  expect(broken.read('again')).toBeDefined();
  expect(broken.read('first')).toBeUndefined();
  await broken.close();
});
