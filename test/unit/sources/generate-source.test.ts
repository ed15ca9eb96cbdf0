import { Readable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { fromNode } from '../../../src/sources/from-iterable.ts';
import { generateSource } from '../../../src/sources/generate-source.ts';

describe('generateSource', () => {
  it('gives the same documents for the same seed, others for another', async () => {
    const read = (seed: number) => generateSource({ documents: 2000, seed }).toArray();
    expect(await read(7)).toEqual(await read(7));
    expect(await read(8)).not.toEqual(await read(7));
    expect(new Set((await read(7)).map((document) => document._id)).size).toBe(2000);
  });

  it('fills every kind of field, and spreads values evenly', async () => {
    const documents = await generateSource({
      documents: 5000,
      shape: {
        id: 'id',
        ordinal: 'ordinal',
        integer: 'integer',
        float: 'float',
        boolean: 'boolean',
        word: 'word',
        text: 'text',
        at: 'timestamp',
        country: ['CH', 'DE', null],
        own: (chance, ordinal) => chance.integer(0, 9) * 10 + (ordinal % 2),
      },
    }).toArray();
    expect(documents[5]).toMatchObject({ id: 'd000000005', ordinal: 5 });
    expect(documents[5]!.text).toMatch(/^([a-z]{5} ?)+$/);
    expect(new Date(documents[5]!.at as string).toISOString()).toBe(documents[5]!.at);
    for (const [name, choices] of [
      ['boolean', 2],
      ['country', 3],
    ] as const) {
      const counts = new Map<unknown, number>();
      for (const document of documents) {
        counts.set(document[name], (counts.get(document[name]) ?? 0) + 1);
      }
      expect(counts.size).toBe(choices);
      const fair = 5000 / choices;
      for (const count of counts.values()) expect(Math.abs(count - fair)).toBeLessThan(fair / 8);
    }
  });

  it('refuses what is no number of documents, and passes errors of make on', async () => {
    const code = 'INVALID_ARGUMENT';
    expect(() => generateSource({ documents: -1 })).toThrow(expect.objectContaining({ code }));
    const broken = new Error('broken');
    const make = (n: number) => {
      if (n === 3) throw broken;
      return { n };
    };
    await expect(generateSource({ documents: 9, make }).toArray()).rejects.toBe(broken);
  });
});

describe('fromNode', () => {
  it('takes streams of objects, and says so of bytes', async () => {
    expect(await fromNode(Readable.from([{ n: 1 }])).toArray()).toEqual([{ n: 1 }]);
    const bytes = Readable.from([Buffer.from('{}')], { objectMode: false });
    expect(() => fromNode(bytes)).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }));
  });

  it('destroys the stream when it is left', async () => {
    const stream = Readable.from(Array.from({ length: 5000 }, (_, n) => ({ n })));
    for await (const _ of fromNode(stream)) break;
    expect(stream.destroyed).toBe(true);
  });
});
