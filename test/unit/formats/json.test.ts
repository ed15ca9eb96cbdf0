import { describe, expect, it } from 'vitest';
import type { Batch } from '../../../src/core/batch.ts';
import type { Reject } from '../../../src/core/reject.ts';
import { decodeJson, type JsonCursor, type JsonOptions } from '../../../src/formats/json.ts';

const encode = (text: string) => new TextEncoder().encode(text);

async function collect(text: string, options: JsonOptions = {}) {
  const batches: Batch[] = [];
  let error: unknown;
  try {
    for await (const batch of decodeJson([encode(text)], options)) batches.push(batch);
  } catch (thrown) {
    error = thrown;
  }
  return { batches, error, ids: batches.flatMap((b) => b.documents().map((d) => d.id)) };
}

describe('decodeJson', () => {
  it.each([
    ['an array', '[{"id":1},{"id":2}]', [1, 2]],
    ['an empty array', ' [ ] ', []],
    ['a byte order mark', '\ufeff[{"id":1}]', [1]],
    ['space everywhere', '\n[\r\n {"id" :\n1 }\t,\n\n{ "id":2}\n]\n', [1, 2]],
    ['one document', '{"id":\n1}', [1]],
    ['one document after the other', '{"id":1}{"id":2}\n{"id":3} {"id":4}', [1, 2, 3, 4]],
    ['arrays and documents', '[{"id":1}][]{"id":2}[{"id":3},{"id":4}]', [1, 2, 3, 4]],
    ['brackets in strings', '[{"id":"]}\\"[{\\\\"},{"id":"{"}]', [']}"[{\\', '{']],
    ['nested values', '[{"id":1,"a":[[{}],{"b":[]}]},{"id":2}]', [1, 2]],
  ])('reads %s', async (_, text, ids) => {
    expect(await collect(text)).toMatchObject({ ids, error: undefined });
  });

  it.each([
    ['one key', ['items'], '{"n":1,"items":[{"id":1},{"id":2}],"more":[{"id":9}]}', [1, 2]],
    ['two', ['a', 'b'], '{"b":[{"id":9}],"a":{"a":[],"b":[{"id":1}]},"b":{}}', [1]],
    ['an escaped key', ['é'], '{"\\u00e9":[{"id":1}]}', [1]],
    ['a key twice', ['a'], '{"a":[{"id":1}],"x":"]","a":[{"id":2}]}', [1, 2]],
    ['a document', ['a'], '{"x":[1,{"a":5}],"a":{"id":1},"y":2}', [1]],
    ['null', ['a'], '{"a":null}', []],
    ['an empty array', ['a'], '{"a":[]}', []],
    ['pages', ['a'], '{"a":[{"id":1}]}\n{"a":[{"id":2}],"z":{"a":[{"id":9}]}}', [1, 2]],
    ['a longer way', ['a', 'b'], '{"a":[{"b":[{"id":9}]}],"a":{"b":[{"id":1}]}}', [1]],
  ])('reads at a path: %s', async (_, path, text, ids) => {
    expect(await collect(text, { path })).toMatchObject({ ids, error: undefined });
  });

  it('keeps the bytes of the elements, and tells their places', async () => {
    const text = '[{"n":9007199254740993, "s":"\\u00e9"},\n  {"n":1.0}]';
    const { batches } = await collect(text, { source: 'a.json' });
    const kept = Buffer.concat(batches.map((batch) => batch.bytes())).toString();
    expect(kept).toBe('{"n":9007199254740993, "s":"\\u00e9"}\n{"n":1.0}\n');
    const places = batches.flatMap((batch) => Array.from(batch, (_, i) => batch.place(i)));
    expect(places).toEqual([
      { path: 'a.json', offset: 1, ordinal: 0 },
      { path: 'a.json', offset: text.indexOf('{"n":1.0'), ordinal: 1 },
    ]);
  });

  it.each([
    ['JSON_ERROR', '[{"id":1},{"id" 2},{"id":3}]', 16],
    ['NOT_AN_OBJECT', '[{"id":1}, 7 ,{"id":3}]', 11],
    ['NOT_AN_OBJECT', '[{"id":1},"text",{"id":3}]', 10],
    ['NOT_AN_OBJECT', '[{"id":1},[{}],{"id":3}]', 10],
    ['JSON_ERROR', '[{"id":1},nul,{"id":3}]', 13],
    ['JSON_ERROR', '[{"id":1},{"a":"x\ny"},{"id":3}]', 17],
    ['NESTING_TOO_DEEP', '[{"id":1},{"a":[[1]]},{"id":3}]', 16],
    ['LINE_TOO_LONG', `[{"id":1},{"a":"${'x'.repeat(99)}"},{"id":3}]`, 10],
  ])('refuses an element with %s and goes on: %s', async (code, text, offset) => {
    const rejects: Reject[] = [];
    const limits = { maxDepth: 2, maxLineBytes: 50 };
    const going = await collect(text, { ...limits, onError: (reject) => rejects.push(reject) });
    expect(going).toMatchObject({ ids: [1, 3], error: undefined });
    expect(rejects).toMatchObject([{ code, place: { offset } }]);
    const stopped = await collect(text, limits);
    expect(stopped).toMatchObject({ ids: [1], error: { code, place: { offset } } });
    expect((await collect(text, { ...limits, onError: 'skip' })).ids).toEqual([1, 3]);
  });

  it.each([
    ['a comma missing', '[{"id":1} {"id":2}]', 'JSON_ERROR', 10],
    ['a comma too many', '[{"id":1},]', 'JSON_ERROR', 10],
    ['two commas', '[{"id":1},,{"id":2}]', 'JSON_ERROR', 10],
    ['a wrong bracket', '[{"id":1}}', 'JSON_ERROR', 9],
    ['a comma at the top', '{"id":1},{"id":2}', 'JSON_ERROR', 8],
    ['brackets that do not match', '[{"id":1},{"a":[1}, {"id":2}', 'JSON_ERROR', 17],
    ['a string that does not end', '[{"id":1},{"a":"x}, {"id":2}]', 'JSON_ERROR', 22],
    ['the end of an array missing', '[{"id":1},{"id":2}', 'TRUNCATED_INPUT', 18],
    ['the end in an element', '[{"id":1},{"id":', 'TRUNCATED_INPUT', 16],
    ['the end after a comma', '[{"id":1},', 'TRUNCATED_INPUT', 10],
    ['nothing at all', '', 'TRUNCATED_INPUT', 0],
    ['only space', ' \n', 'TRUNCATED_INPUT', 2],
  ])('stops whatever onError says: %s', async (_, text, code, offset) => {
    for (const onError of ['stop', 'skip'] as const) {
      const { error } = await collect(text, { onError });
      expect(error).toMatchObject({ code, place: { offset } });
    }
  });

  it.each([
    ['nothing there', '{"b":[{"id":1}]}', 'JSON_ERROR'],
    ['no text', '', 'TRUNCATED_INPUT'],
    ['no object', '[{"a":[]}]', 'JSON_ERROR'],
    ['an array on the way', '{"a":[]}', 'JSON_ERROR'],
    ['no key', '{"a":{"b":[]},7}', 'JSON_ERROR'],
    ['no colon', '{"a" {}}', 'JSON_ERROR'],
    ['the end in a key', '{"a":{"b', 'TRUNCATED_INPUT'],
    ['the end behind the array', '{"a":{"b":[]', 'TRUNCATED_INPUT'],
    ['the end in what is passed over', '{"c":"x', 'TRUNCATED_INPUT'],
  ])('stops on the way to a path: %s', async (_, text, code) => {
    expect((await collect(text, { path: ['a', 'b'] })).error).toMatchObject({ code });
  });

  it('stops at each of several texts that has nothing at the path, after what stands before', async () => {
    const text = '{"a":[{"id":1}]}{"a":[]}{"a":null}{"a":{"id":2}}';
    expect(await collect(text, { path: ['a'] })).toMatchObject({ ids: [1, 2], error: undefined });
    for (const gone of ['{"error":"gone"}', '{}', '{"b":{"a":[{"id":4}]}}']) {
      const { ids, error } = await collect(`${text}${gone}{"a":[{"id":3}]}`, { path: ['a'] });
      const offset = text.length + gone.length - 1;
      expect({ ids, error }).toMatchObject({
        ids: [1, 2],
        error: { code: 'JSON_ERROR', place: { offset } },
      });
    }
  });

  it('passes over a long element in constant memory, and says where one has no end', async () => {
    const chunk = new Uint8Array(1 << 20).fill(0x78);
    async function* long(end: string) {
      yield encode('[{"id":1},{"a":"');
      for (let i = 0; i < 300; i++) yield chunk;
      yield encode(end);
    }
    let top = 0;
    const ids: unknown[] = [];
    const rejects: Reject[] = [];
    const onError = (reject: Reject) => rejects.push(reject);
    for await (const batch of decodeJson(long('"},{"id":2}]'), { onError, maxLineBytes: 4e6 })) {
      top = Math.max(top, process.memoryUsage().arrayBuffers);
      ids.push(...batch.documents().map((document) => document.id));
    }
    expect(ids).toEqual([1, 2]);
    expect(rejects).toMatchObject([{ code: 'LINE_TOO_LONG', place: { offset: 10 } }]);
    expect(rejects[0]!.bytes.length).toBe(4096);
    expect(top).toBeLessThan(150e6);
  });

  it('takes linear time for an element of many pieces', async () => {
    const bytes = encode(`{"a":[${'1,'.repeat(2e6)}1]}`);
    const chunks = Array.from({ length: 4000 }, (_, i) => bytes.subarray(i * 1001, (i + 1) * 1001));
    const start = performance.now();
    let count = 0;
    for await (const batch of decodeJson(chunks, { batchBytes: 1000 })) count += batch.length;
    expect(count).toBe(1);
    expect(performance.now() - start).toBeLessThan(2000);
  });

  describe('from a cursor', () => {
    const goOn = (text: string, from: JsonCursor, options: JsonOptions = {}) =>
      collect(text.slice(from.offset), { ...options, from });

    it.each([
      ['a missing comma', '[{"id":1} {"id":2}]', 'expected a comma or the end', []],
      ['a comma too many', '[{"id":1},,{"id":2}]', 'expected a value', []],
      ['a comma at the end', '[{"id":1},]', 'expected a value', []],
      ['a bad element', '[{"id":1} , {"id" 2}]', 'expected a colon', []],
      ['a bad document', '{"a":{"id" 1}}', 'expected a colon', ['a']],
    ])('refuses what is refused without: %s', async (_, text, what, path) => {
      const whole = await collect(text, { path });
      expect(String(whole.error)).toContain(what);
      const cursor = whole.batches.at(-1)!.cursor as JsonCursor;
      expect(await goOn(text, cursor, { path })).toMatchObject({ ids: [], error: whole.error });
    });

    it('goes on from those that do not say what comes', async () => {
      const text = '[{"id":1} , {"id":2}]';
      for (const offset of [9, 10, 11, 12]) {
        expect(await goOn(text, { offset, level: 1 })).toMatchObject({
          ids: [2],
          error: undefined,
        });
      }
    });
  });
});
