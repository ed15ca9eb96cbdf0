/** Which documents a load with `deleteBy` takes for its own partitions, by the bytes of their values. */
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { eq } from '../../../src/core/predicate.ts';
import { run } from '../../../src/pipeline/index.ts';
import type { WriteDisposition } from '../../../src/sinks/zds-disposition.ts';
import { zdsSink } from '../../../src/sinks/zds-sink.ts';
import { fromIterable } from '../../../src/sources/from-iterable.ts';
import { jsonlSource } from '../../../src/sources/jsonl-source.ts';
import { FastStore } from '../../../src/store/index.ts';
import { temporaryFolder } from '../../support/stages.ts';

/** Ids a, b, c… for the documents there, z, y, x… for those that come; each is given without its braces. */
const jsonl = (members: readonly string[], nameOf: (i: number) => number) =>
  members
    .map((rest, i) => `{"_id":"${String.fromCharCode(nameOf(i))}"${rest && `,${rest}`}}\n`)
    .join('');

async function load(there: readonly string[], comes: readonly string[], deleteBy: string) {
  const store = await FastStore.open(join(temporaryFolder(), 'store'), 'c');
  await store.writeJsonl(jsonl(there, (i) => 97 + i));
  const source = jsonlSource(Readable.from([Buffer.from(jsonl(comes, (i) => 122 - i))]));
  const sink = zdsSink(store, 'c', { write: { deleteBy } });
  const rejects: string[] = [];
  const onError = ({ code, place }: { code: string; place: { line?: number } }) =>
    void rejects.push(`${code} ${place.line}`);
  await run({ name: 'load', source, sink, onError });
  const ids = (await store.scanAll()).map(({ _id }) => _id).join('');
  await store.close();
  return { ids, rejects };
}

describe('deleteBy', () => {
  it.each([
    ['whole numbers by all digits', 'p', ['"p":9007199254740993', '"p":9007199254740992'], 'b'],
    ['numbers however they are written', 'p', ['"p":12', '"p":1.2e1', '"p":12.5'], 'c'],
    ['texts however they are written', 'p', ['"p":"é"', '"p":"\\u00e9"', '"p":"e"'], 'c'],
    ['true', 'p', ['"p":true', '"p":false', '"p":"true"', '"p":1'], 'bcd'],
    ['paths', 'p.q', ['"p":{"q":1}', '"p":{"q":2}', '"p.q":1', '"p":1'], 'bcd'],
    ['the names that all objects have', 'constructor', ['"constructor":1', '"p":1'], 'b'],
    ['no value: null and what is missing', 'p.q', ['', '"p":{"q":null}', '"p":{"q":1}'], 'c'],
    ['no value: nothing in a list', 'p.q', ['', '"p":[{"q":null}]', '"p":[]'], 'bc'],
    ['no value: no list', 'p', ['', '"p":[]', '"p":{}'], 'bc'],
    ['one value: nothing in a list', 'p.q', ['"p":{"q":1}', '"p":[{"q":1}]', '"r":1'], 'bc'],
  ])('%s', async (_name, path, there, left) => {
    expect(await load(there, [there[0]!], path)).toEqual({ ids: `${left}z`, rejects: [] });
  });

  it.each([
    ['an object', 'p', '"p":{}'],
    ['an array', 'p', '"p":[1]'],
    ['a path into an array', 'p.q', '"p":[{"q":1}]'],
    ['a place in an array', 'p.0', '"p":[1]'],
    ['a number that no predicate compares', 'p', '"p":1e400'],
  ])('rejects %s by itself', async (_name, path, bad) => {
    const there = ['', bad, '"o":1'];
    const good = '"p":{"q":1,"0":2}';
    const comes = path === 'p' ? ['"p":1', bad, '"p":2'] : [good, bad, good];
    expect(await load(there, comes, path)).toEqual({
      ids: 'abczx',
      rejects: ['INVALID_DOCUMENT 2'],
    });
  });

  it('rejects by itself what JSON cannot hold', async () => {
    const root = join(temporaryFolder(), 'store');
    const source = fromIterable([
      { _id: 'a', p: 1 },
      { _id: 'b', p: 2n },
      { _id: 'c', p: 3 },
    ]);
    const sink = zdsSink(root, 'c', { write: { deleteBy: 'p' } });
    const summary = await run({ name: 'load', source, sink, onError: 'skip' });
    expect(summary).toMatchObject({ written: 2, rejected: 1 });
  });

  it('clears the partition of a document that is then rejected', async () => {
    const root = join(temporaryFolder(), 'store');
    const write = { deleteBy: 'p' };
    const first = [
      { _id: 'a', p: 1 },
      { _id: 'b', p: 2 },
    ];
    await run({ name: 'load', source: fromIterable(first), sink: zdsSink(root, 'c', { write }) });
    const source = fromIterable([{ _id: '..', p: 1 }]);
    const sink = zdsSink(root, 'c', { write });
    const summary = await run({ name: 'load', source, sink, onError: 'skip' });
    expect(summary).toMatchObject({ rejected: 1, sink: { total: 1 } });
  });
});

it.each([
  null,
  7,
  {},
  { deleteWhere: undefined },
  { deleteWhere: 'p = 1' },
  { deleteBy: undefined },
  { deleteBy: '' },
  { deleteBy: 'p', deleteWhere: eq('p', 1) },
])('refuses %j for a way to write', (write) => {
  expect(() => zdsSink('x', 'c', { write: write as unknown as WriteDisposition })).toThrow(
    expect.objectContaining({ code: 'INVALID_ARGUMENT' }),
  );
});
