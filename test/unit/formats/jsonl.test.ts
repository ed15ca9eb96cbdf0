import { describe, expect, it } from 'vitest';
import type { Batch } from '../../../src/core/batch.ts';
import type { Reject } from '../../../src/core/reject.ts';
import { decodeJsonl, type JsonlOptions } from '../../../src/formats/jsonl.ts';

const encode = (text: string) => new TextEncoder().encode(text);

async function collect(
  chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
  options: JsonlOptions = {},
) {
  const batches: Batch[] = [];
  let error: unknown;
  try {
    for await (const batch of decodeJsonl(chunks, options)) batches.push(batch);
  } catch (thrown) {
    error = thrown;
  }
  return { batches, error, ids: batches.flatMap((b) => b.documents().map((d) => d._id)) };
}

describe('decodeJsonl', () => {
  it.each([
    ['nothing', '', []],
    ['blank lines only', '\n \r\n\t\n', []],
    ['a last line without its end', '{"_id":"a"}\n{"_id":"b"}', ['a', 'b']],
    ['CRLF', '{"_id":"a"}\r\n{"_id":"b"}\r\n', ['a', 'b']],
    ['a byte order mark at the start', '\ufeff{"_id":"a"}\n', ['a']],
    ['only a byte order mark', '\ufeff', []],
  ])('reads %s', async (_, text, ids) => {
    expect(await collect([encode(text)])).toMatchObject({ ids, error: undefined });
  });

  it('refuses a byte order mark anywhere but at the start', async () => {
    const { error, ids } = await collect([encode('{"_id":"a"}\n\ufeff{"_id":"b"}\n')]);
    expect(ids).toEqual(['a']);
    expect(error).toMatchObject({ code: 'JSON_ERROR', place: { line: 2, column: 1, offset: 12 } });
  });

  it.each([
    ['JSON_ERROR', '{"a" 1}', 6],
    ['NOT_AN_OBJECT', ' [1]', 2],
    ['NESTING_TOO_DEEP', '{"a":[[1]]}', 7],
    ['JSON_ERROR', '{"a":1', 7],
  ])('stops with %s after everything before it: %s', async (code, bad, column) => {
    const head = '\ufeff{"_id":"a"}\n\n';
    const { error, ids } = await collect([encode(`${head}${bad}\n{"_id":"z"}\n`)], {
      source: 'x.jsonl',
      maxDepth: 2,
    });
    expect(ids).toEqual(['a']);
    const offset = encode(head).byteLength + column - 1;
    expect(error).toMatchObject({ code, place: { path: 'x.jsonl', line: 3, column, offset } });
    expect((error as Error).message).toMatch(/^x\.jsonl:3:\d+: \w/);
  });

  it('stops with INVALID_UTF8', async () => {
    const bytes = new Uint8Array([...encode('{"a":"'), 0xff, ...encode('"}\n')]);
    expect((await collect([bytes])).error).toMatchObject({
      code: 'INVALID_UTF8',
      place: { line: 1, column: 7, offset: 6 },
    });
  });

  it('hands each reject over with its bytes, and goes on', async () => {
    const rejects: Reject[] = [];
    const text = '{"_id":"a"}\nnope\r\n{"_id":"b"}\n[]\n{"_id":"c"}';
    const { ids, error, batches } = await collect([encode(text)], {
      onError: (reject) => rejects.push(reject),
    });
    expect({ ids, error }).toEqual({ ids: ['a', 'b', 'c'], error: undefined });
    expect(
      rejects.map(({ code, place, bytes }) => [
        code,
        place.line,
        Buffer.from(bytes).toString().trim(),
      ]),
    ).toEqual([
      ['JSON_ERROR', 2, 'nope'],
      ['NOT_AN_OBJECT', 4, '[]'],
    ]);
    expect(batches.at(-1)!.cursor).toEqual({ offset: text.length, line: 5 });
    const merged = batches.flatMap((b) => b.documents().map((_, i) => b.place(i).line));
    expect(merged).toEqual([1, 3, 5]);
  });

  it('passes an error of the reject handler on', async () => {
    const enough = new Error('enough');
    const { error } = await collect([encode('x\n')], {
      onError: () => {
        throw enough;
      },
    });
    expect(error).toBe(enough);
  });

  it('ends at a cursor in front of the bad line when it stops', async () => {
    const { batches } = await collect([encode('{"_id":"a"}\n\nbad\n')]);
    expect(batches.map((batch) => batch.cursor)).toEqual([{ offset: 13, line: 2 }]);
  });

  describe('lines that are too long', () => {
    const long = `{"_id":"${'x'.repeat(100)}"}`;
    const text = `{"_id":"a"}\n${long}\n{"_id":"b"}\n`;

    it.each([1, 7, 64, 1000])('names the line, in chunks of %i', async (size) => {
      const { ids, error } = await collect(slices(text, size), {
        maxLineBytes: 50,
        batchBytes: size,
      });
      expect(ids).toEqual(['a']);
      expect(error).toMatchObject({ code: 'LINE_TOO_LONG', place: { line: 2, offset: 12 } });
    });

    it.each([1, 7, 64, 1000])('passes over it under skip, in chunks of %i', async (size) => {
      const options = { maxLineBytes: 50, batchBytes: size, onError: 'skip' } as const;
      const { ids, error, batches } = await collect(slices(text, size), options);
      expect({ ids, error }).toEqual({ ids: ['a', 'b'], error: undefined });
      expect(batches.at(-1)!.cursor).toEqual({ offset: text.length, line: 3 });
      expect(batches.at(-1)!.place(batches.at(-1)!.length - 1).line).toBe(3);
    });

    it('counts the line without its end, and takes one of exactly the limit', async () => {
      const { ids } = await collect([encode(text)], { maxLineBytes: long.length });
      expect(ids).toHaveLength(3);
      const { error } = await collect([encode(text)], { maxLineBytes: long.length - 1 });
      expect(error).toMatchObject({ code: 'LINE_TOO_LONG' });
    });

    it('passes over a gigabyte in constant memory', async () => {
      const chunk = new Uint8Array(1 << 20).fill(120);
      function* gigabyte() {
        for (let i = 0; i < 1024; i++) yield chunk;
        yield encode('\n{"_id":"after"}\n');
      }
      const before = process.memoryUsage().rss;
      const options = { maxLineBytes: 1 << 20, onError: 'skip' } as const;
      const { ids, error } = await collect(gigabyte(), options);
      expect({ ids, error }).toEqual({ ids: ['after'], error: undefined });
      expect(process.memoryUsage().rss - before).toBeLessThan(100 << 20);
      expect((await collect(gigabyte(), { maxLineBytes: 1 << 20 })).error).toMatchObject({
        code: 'LINE_TOO_LONG',
        place: { line: 1, offset: 0 },
      });
    });
  });

  it('joins a line of many small chunks in linear time', async () => {
    const text = `{"_id":"${'y'.repeat(8 << 20)}"}\n`;
    const started = performance.now();
    const { ids } = await collect(slices(text, 1024), { batchBytes: 1024 });
    expect((ids[0] as string).length).toBe(8 << 20);
    expect(performance.now() - started).toBeLessThan(3000);
  });

  it('lets a slow trickle flow', async () => {
    let more = () => {};
    async function* trickle() {
      yield encode('{"_id":"a"}\n{"_id"');
      await new Promise<void>((resolve) => {
        more = resolve;
      });
      yield encode(':"b"}\n');
    }
    const batches = decodeJsonl(trickle());
    const first = await batches.next();
    expect((first.value as Batch).documents()).toEqual([{ _id: 'a' }]);
    more();
    expect(((await batches.next()).value as Batch).documents()).toEqual([{ _id: 'b' }]);
    expect((await batches.next()).done).toBe(true);
  });

  it('passes an error of the input on, and closes the input when left', async () => {
    const broken = new Error('wire');
    async function* failing() {
      yield encode('{"_id":"a"}\n');
      throw broken;
    }
    // What came before it comes before it, gathered or not.
    for (const batchBytes of [1, 1 << 20]) {
      expect(await collect(failing(), { batchBytes })).toMatchObject({ ids: ['a'], error: broken });
    }
    let closed = false;
    async function* endless() {
      try {
        for (;;) yield encode('{"_id":"a"}\n');
      } finally {
        closed = true;
      }
    }
    for await (const _ of decodeJsonl(endless(), { batchBytes: 10 })) break;
    expect(closed).toBe(true);
  });
});

function* slices(text: string, size: number): Generator<Uint8Array> {
  const bytes = encode(text);
  for (let at = 0; at < bytes.byteLength; at += size) yield bytes.slice(at, at + size);
}
