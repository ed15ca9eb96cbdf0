/** Documents that JSON cannot hold, at every kind of stage, and functions that nobody waits for. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import * as zds from '../../../src/index.ts';
import { temporaryFolder } from '../../support/stages.ts';

const documents = (): object[] => {
  const cyclic: zds.Document = { _id: 'c', n: 3 };
  cyclic.self = cyclic;
  return [{ _id: 'a', n: 1 }, { _id: 'b', n: 2n }, cyclic, { _id: 'd', n: 4 }];
};
const source = () => zds.fromIterable<object>(documents());
const out = () => join(temporaryFolder(), 'out');

describe('documents that JSON cannot hold', () => {
  const stages: [string, () => Parameters<typeof zds.run>[0]['transforms']][] = [
    ['none', () => []],
    ['filter', () => [zds.filter(zds.gt('n', 0))]],
    ['project', () => [zds.project(['_id', 'n'])]],
    ['rename', () => [zds.rename({ n: 'm' })]],
    ['cast', () => [zds.cast({ n: 'string' })]],
    ['flatten', () => [zds.flatten()]],
    ['dedupe', () => [zds.dedupe({ by: ['_id'] })]],
    ['batch', () => [zds.batch({ count: 2 })]],
    ['sample', () => [zds.sample({ count: 10, seed: 1 })]],
    ['throttle', () => [zds.throttle({ documentsPerSecond: 1e6 })]],
    ['map', () => [zds.map((document: object) => document)]],
    ['map, filter', () => [zds.map((document: object) => document), zds.filter(zds.gt('n', 0))]],
  ];
  const sinks: [string, () => Parameters<typeof zds.run>[0]['sink']][] = [
    ['zdsSink', () => zds.zdsSink(out(), 'c')],
    ['jsonlSink', () => zds.jsonlSink(out())],
    ['jsonSink', () => zds.jsonSink(out())],
    ['csvSink', () => zds.csvSink(out())],
    ['arrowSink', () => zds.arrowSink(out())],
    ['tee', () => zds.tee(zds.jsonlSink(out()), zds.csvSink(out()))],
    ['route', () => zds.route({ by: () => 'x', to: { x: zds.jsonlSink(out()) } })],
  ];
  for (const [stage, transforms] of stages) {
    for (const [name, sink] of sinks) {
      it(`are passed over and counted: ${stage} before ${name}`, async () => {
        const rejected: zds.Reject[] = [];
        const summary = await zds.run({
          name: 'r',
          source: source(),
          transforms: transforms() ?? [],
          sink: sink(),
          onError: (reject) => void rejected.push(reject),
        });
        expect(summary).toMatchObject({ read: 4, written: 2, rejected: 2 });
        expect(rejected).toMatchObject([
          { code: 'INVALID_DOCUMENT', place: { ordinal: 1 } },
          { code: 'INVALID_DOCUMENT', place: { ordinal: 2 } },
        ]);
        expect(rejected[0]!.reason).toContain('BigInt');
      });
    }
  }

  it('end the run by default, and say which it was', async () => {
    const running = zds.run({ name: 'r', source: source(), sink: zds.jsonlSink(out()) }).done;
    await expect(running).rejects.toMatchObject({
      code: 'INVALID_DOCUMENT',
      place: { ordinal: 1 },
    });
  });

  it('stand in the dead-letter file as far as they can be written', async () => {
    const deadLetter = out();
    const sink = zds.zdsSink(out(), 'c');
    await zds.run({ name: 'r', source: source(), sink, onError: { deadLetter } });
    const lines = readFileSync(deadLetter, 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(lines).toHaveLength(2);
    expect(JSON.stringify(lines[0])).toContain('\\"n\\":\\"2\\"');
  });

  it('go to the onReject of a stage in a pipeline, too', async () => {
    const rejected: zds.Reject[] = [];
    const filter = zds.filter(zds.gt('n', 0), { onReject: (reject) => void rejected.push(reject) });
    const kept = await source().pipe(filter).toArray();
    expect(kept).toEqual([
      { _id: 'a', n: 1 },
      { _id: 'd', n: 4 },
    ]);
    expect(rejected.map(({ place }) => place.ordinal)).toEqual([1, 2]);
  });
});

describe('an onError that answers with a promise', () => {
  const onError = async (): Promise<void> => {
    throw new Error('nobody hears this');
  };
  it('ends a run', async () => {
    const bad = zds.jsonlSource([Buffer.from('{"n":\n{"n":1}\n')]);
    const running = zds.run({ name: 'r', source: bad, sink: zds.jsonlSink(out()), onError }).done;
    await expect(running).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  });

  it('ends a source', async () => {
    const bad = zds.jsonlSource([Buffer.from('{"n":\n{"n":1}\n')], { onError });
    await expect(bad.toArray()).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  });
});

describe('a transform that is run twice', () => {
  it('begins anew, whatever the sink keeps', async () => {
    const numbers = Array.from({ length: 10 }, (_, n) => ({ _id: `d${n}`, n }));
    const sample = zds.sample({ every: 4 });
    for (let i = 0; i < 2; i++) {
      const path = out();
      const sink = zds.jsonlSink(path);
      const source = zds.fromIterable(numbers);
      await zds.run({ name: 'r', source, transforms: [sample], sink });
      const kept = readFileSync(path, 'utf8')
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line).n);
      expect(kept).toEqual([0, 4, 8]);
    }
  });
});
