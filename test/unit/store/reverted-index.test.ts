/**
 * A program that only reads writes back the index.bin of its day when it ends, and another goes on
 * from that: what it does not tell of because we had not written it yet is not deleted. Lines are of
 * one length, so that entries of before a compaction fit documents of after.
 */
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FastStore, repair, verify } from '../../../src/store/index.ts';
import { mergeStates } from '../../../src/store/log-state.ts';
import { parseIndex, readReference } from '../../support/reference-store.ts';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'zds-reverted-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const folder = () => join(root, 'collections', 'c', 'meta');
const file = (name: string) => join(folder(), name);

/** A session of ours: `-id` deletes, `compact` compacts, anything else is put. */
async function session(...steps: string[]): Promise<void> {
  const store = await FastStore.open(root, 'c');
  for (const step of steps) {
    if (step === 'compact') await store.compact();
    else if (step.startsWith('-')) store.delete(step.slice(1));
    else store.put(step, {});
  }
  await store.close();
}

/** A session of another program: on the index.bin given it deletes, and puts `g` behind everything. */
function goOn(index: Buffer, ...deleted: string[]): void {
  const { places } = parseIndex(index)!;
  for (const id of deleted) places.delete(id);
  const offset = readFileSync(file('data.jsonl')).length;
  const line = '{"_id":"g"}\n';
  appendFileSync(file('data.jsonl'), line);
  places.set('g', { offset, length: line.length });
  const lines = [...places].map(([id, at]) => `${id}\t${at.offset}\t${at.length}\n`);
  writeFileSync(file('index.bin'), lines.join(''));
}

const readIndex = (): Buffer => readFileSync(file('index.bin'));

async function expectIds(expected: readonly string[]): Promise<void> {
  expect([...readReference(folder())!.documents.keys()]).toEqual(expected);
  const [report] = await verify(root, 'c');
  expect(report!.documents).toBe(expected.length);
  for (const mode of ['read', 'write', 'write'] as const) {
    const store = await FastStore.open(root, 'c', { mode });
    expect((await store.scanAll()).map(({ _id }) => _id)).toEqual(expected);
    await store.close();
  }
}

describe('an index.bin of before our compaction, gone on with', () => {
  it.each<[string, string[][], string[][], string[]]>([
    ['a newer version and a new document', [['a', 'h']], [['h', 'f', 'compact']], ['a', 'h', 'f']],
    [
      'compacted twice',
      [['a', 'h']],
      [
        ['h', 'f', 'compact'],
        ['a', 'compact'],
      ],
      ['h', 'f', 'a'],
    ],
    [
      'documents before those that fit',
      [['x', 'x', 'a']],
      [['z', 'x', 'a', 'compact']],
      ['z', 'x', 'a'],
    ],
    ['sessions before and after', [['a'], ['h']], [['f', 'compact'], ['i']], ['a', 'h', 'f', 'i']],
  ])('%s', async (_, before, after, expected) => {
    for (const steps of before) await session(...steps);
    const old = readIndex();
    for (const steps of after) await session(...steps);
    goOn(old);
    await expectIds([...expected, 'g']);
  });

  it('of a collection that was repaired', async () => {
    await session('a', 'h');
    const old = readIndex();
    await session('h', 'f');
    const bytes = readFileSync(file('data.jsonl'));
    bytes[bytes.indexOf('{"_id":"h"}') + 1] = 0;
    writeFileSync(file('data.jsonl'), bytes);
    expect(await repair(root, 'c')).toMatchObject({ action: 'rewritten', documents: 3 });
    goOn(old);
    await expectIds(['a', 'h', 'f', 'g']);
  });
});

describe('deletes of another program in a compacted collection', () => {
  it.each<[string, string[][], string[], string[]]>([
    [
      'of what was there before',
      [
        ['a', 'h', 'h'],
        ['f', 'compact'],
      ],
      ['a'],
      ['h', 'f'],
    ],
    [
      'of what was written anew and stands elsewhere now',
      [
        ['x', 'a', 'b', 'h'],
        ['-x', 'a', 'b', 'h', 'f', 'compact'],
      ],
      ['b'],
      ['a', 'h', 'f'],
    ],
    [
      'of the last documents, of one session',
      [['a', 'b', 'b', 'h', 'f', 'compact']],
      ['h', 'f'],
      ['a', 'b'],
    ],
    [
      'of what a session before had added last',
      [
        ['a', 'b', 'b', 'f'],
        ['i', 'compact'],
      ],
      ['f'],
      ['a', 'b', 'i'],
    ],
  ])('%s', async (_, sessions, deleted, expected) => {
    for (const steps of sessions) await session(...steps);
    goOn(readIndex(), ...deleted);
    await expectIds([...expected, 'g']);
  });
});

describe('mergeStates', () => {
  const find = (states: readonly (readonly [number, number])[], end: number) =>
    states.find((state) => state[0] >= end)?.[1];

  it('leaves out what no index can lead to', () => {
    expect(
      mergeStates([
        [10, 0],
        [20, 0],
        [5, 3],
        [30, 4],
        [40, 9],
      ]),
    ).toEqual([
      [20, 0],
      [30, 4],
      [40, 9],
    ]);
  });

  it('is at most 64, and never covers more', () => {
    const states = Array.from({ length: 500 }, (_, i) => [10 * i, 7 * i] as const);
    const merged = mergeStates(states);
    expect(merged.length).toBe(64);
    for (let end = 0; end <= 4990; end++) {
      expect(find(merged, end)!).toBeLessThanOrEqual(find(states, end)!);
      if (end > 4400) expect(find(merged, end)).toBe(find(states, end));
    }
  });
});
