import { describe, expect, it, vi } from 'vitest';
import { Batch, type BatchCodec, type Document } from '../../../src/core/batch.ts';
import { sharedKernel } from '../../../src/kernels/index.ts';

const kernel = sharedKernel();
const bytesOf = (text: string) => new TextEncoder().encode(text);
const textOf = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
const origin = { source: 'f.jsonl', offset: 1000, line: 50, ordinal: 7 };
const loose = '\n{"_id":"a"}\n\n  {"_id":"bb"}\r\nbad\n{"_id":"c"}';

function looseBatch(): Batch {
  return Batch.fromLines(kernel.lines(bytesOf(loose)), kernel.codec, origin, 'cursor');
}

describe('Batch', () => {
  it('gives exactly its documents as bytes, whatever lies between the lines', () => {
    const batch = looseBatch();
    expect(textOf(batch.bytes())).toBe('{"_id":"a"}\n{"_id":"bb"}\n{"_id":"c"}\n');
    expect([...batch].map((document) => document._id)).toEqual(['a', 'bb', 'c']);
  });

  it('counts the bytes of its own documents, of a share of others too', () => {
    const batch = looseBatch();
    expect(batch.byteLength).toBe(37);
    expect(batch.slice(0, 1).byteLength).toBe(12);
    expect(batch.pick([0, 2]).byteLength).toBe(24);
    expect(batch.slice(1, 3).pick([0]).bytes()).toHaveLength(batch.pick([1]).byteLength);
  });

  it('keeps the keys in the records true when it compacts', () => {
    const { bytes, records } = looseBatch().denseLines();
    const keys = [0, 1, 2].map((i) =>
      textOf(bytes.subarray(records[i * 8 + 3], records[i * 8 + 4])),
    );
    expect(keys).toEqual(['a', 'bb', 'c']);
  });

  const places = [
    { path: 'f.jsonl', offset: 1001, line: 52, ordinal: 7 },
    { path: 'f.jsonl', offset: 1000 + loose.indexOf('{"_id":"bb'), line: 54, ordinal: 8 },
    { path: 'f.jsonl', offset: 1000 + loose.indexOf('{"_id":"c'), line: 56, ordinal: 9 },
  ];
  const placesOf = (batch: Batch) => Array.from({ length: batch.length }, (_, i) => batch.place(i));

  it('knows the places before and after compaction', () => {
    const batch = looseBatch();
    expect(placesOf(batch)).toEqual(places);
    batch.bytes();
    expect(placesOf(batch)).toEqual(places);
    batch.documents();
    expect(placesOf(batch)).toEqual(places);
  });

  it('keeps what objects cannot hold, where they were read from something else', () => {
    const text = '{"a":1.50}\n{"a":9007199254740993}\n';
    const lines = kernel.lines(bytesOf(text));
    const objects = [{ a: 1.5 }, { a: 9007199254740992 }];
    const rows = () =>
      Batch.fromRows(objects, () => lines, kernel.codec, origin, 'cursor', new Uint32Array(6));
    expect(rows().hasBytes).toBe(false);
    expect(rows().documents()).toBe(objects);
    for (const batch of [rows(), rows().withCursor(1), rows().pick([0, 1]), rows().slice(0, 2)]) {
      expect(textOf(batch.bytes())).toBe(text);
      expect(batch.documents()).toEqual(objects);
    }
    expect(
      textOf(
        rows()
          .deriveDocuments([{ a: 2 }], [1])
          .bytes(),
      ),
    ).toBe('{"a":2}\n');
  });

  it('carries places and cursor through derived lines and documents', () => {
    const batch = looseBatch();
    const where = { op: 'in', path: ['_id'], values: ['bb', 'c'] } as const;
    const kept = batch.deriveLines(kernel.selector({ where }).filter(batch.bytes()));
    expect(placesOf(kept)).toEqual(places.slice(1));
    expect(kept.cursor).toBe('cursor');
    const projected = kept.deriveLines(
      kernel.selector({ select: [['_id']] }).project(kept.bytes()),
    );
    expect(placesOf(projected)).toEqual(places.slice(1));
    const last = projected.deriveDocuments([{ x: 1 }], [1]);
    expect(placesOf(last)).toEqual(places.slice(2));
    last.bytes();
    expect(placesOf(last)).toEqual(places.slice(2));
  });

  it('says a URL is a URL', () => {
    for (const url of ['https://example.org/a.jsonl', 'HTTP://example.org/a.jsonl']) {
      const batch = Batch.fromDocuments([{}], kernel.codec, { source: url });
      expect(batch.place(0)).toEqual({ url });
    }
    const file = Batch.fromDocuments([{}], kernel.codec, { source: 'http:a.jsonl' });
    expect(file.place(0)).toEqual({ path: 'http:a.jsonl' });
  });

  it('makes each form once, and only on demand', () => {
    const decode = vi.fn(kernel.codec.decode);
    const encode = vi.fn(kernel.codec.encode);
    const codec: BatchCodec = { decode, encode };
    const lines = Batch.fromLines(kernel.lines(bytesOf('{"a":1}\n')), codec);
    lines.bytes();
    expect([lines.hasBytes, lines.hasDocuments]).toEqual([true, false]);
    expect(lines.documents()).toBe(lines.documents());
    const objects = Batch.fromDocuments([{ a: 1 }], codec);
    objects.documents();
    expect([objects.hasBytes, objects.hasDocuments]).toEqual([false, true]);
    expect(objects.bytes()).toBe(objects.bytes());
    expect([decode.mock.calls.length, encode.mock.calls.length]).toEqual([1, 1]);
  });

  it.each<[string, Document, RegExp]>([
    ['a BigInt', { n: 1n }, /BigInt cannot be written/],
    ['a toJSON that hides it', { toJSON: () => undefined }, /written as an object/],
    ['a toJSON that is a scalar', { toJSON: () => 7 }, /written as an object/],
    [
      'a getter that throws',
      Object.defineProperty({}, 'x', {
        enumerable: true,
        get: () => {
          throw new Error('no luck');
        },
      }),
      /no luck/,
    ],
  ])('names the document that JSON cannot hold: %s', (_, bad, message) => {
    const batch = Batch.fromDocuments([{ fine: 1 }, bad], kernel.codec, { ordinal: 40 });
    const error = caught(() => batch.bytes());
    expect(error).toMatchObject({ code: 'INVALID_DOCUMENT', place: { ordinal: 41 } });
    expect(error.message).toMatch(message);
  });

  it('names a cycle, and a document that nests too deep', () => {
    const cycle: Document = {};
    cycle.self = cycle;
    expect(caught(() => Batch.fromDocuments([cycle], kernel.codec).bytes())).toMatchObject({
      code: 'INVALID_DOCUMENT',
      place: { ordinal: 0 },
    });
    const deep = JSON.parse(`{"a":${'['.repeat(600)}${']'.repeat(600)}}`) as Document;
    expect(caught(() => Batch.fromDocuments([{}, deep], kernel.codec).bytes())).toMatchObject({
      code: 'INVALID_DOCUMENT',
      place: { ordinal: 1 },
    });
  });
});

function caught(run: () => unknown): Error {
  try {
    run();
  } catch (error) {
    return error as Error;
  }
  throw new Error('nothing was thrown');
}
