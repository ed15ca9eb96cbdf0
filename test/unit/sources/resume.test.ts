import { appendFileSync, rmSync, truncateSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import type { Batch } from '../../../src/core/batch.ts';
import type { Source, Wants } from '../../../src/core/stage.ts';
import type { ByteInput } from '../../../src/sources/byte-input.ts';
import { createJsonlSource } from '../../../src/sources/jsonl-source.ts';
import { openDescriptors, temporaryFolder } from '../../support/stages.ts';

const line = (n: number, name: string) =>
  `${JSON.stringify({ n, name, pad: 'é'.repeat(n % 40) })}\n`;
const lines = (from: number, to: number, name = 'a') => {
  let text = '';
  for (let n = from; n < to; n++) text += `${line(n, name)}${n % 17 === 0 ? '\r\n' : ''}`;
  return text;
};

interface Seen {
  readonly documents: unknown[];
  readonly places: unknown[];
}

async function read(source: Source, wants: Wants, from?: unknown, each?: (batch: Batch) => void) {
  const seen: Seen = { documents: [], places: [] };
  for await (const batch of source.batches(new AbortController().signal, wants, from)) {
    seen.documents.push(...batch.documents());
    for (let i = 0; i < batch.length; i++) seen.places.push(batch.place(i));
    each?.(batch);
  }
  return seen;
}

/** Reads whole, then from every cursor that was given on the way. */
async function checkEveryCursor(make: () => ByteInput, batchBytes: number, wants: Wants = {}) {
  const open = () => createJsonlSource(make(), { batchBytes });
  const cursors: { cursor: string; documents: number }[] = [];
  let documents = 0;
  const whole = await read(open(), wants, undefined, (batch) => {
    documents += batch.length;
    cursors.push({ cursor: JSON.stringify(batch.cursor), documents });
  });
  expect(cursors.length).toBeGreaterThan(3);
  const before = openDescriptors();
  for (const { cursor, documents } of cursors) {
    const rest = await read(open(), wants, JSON.parse(cursor));
    expect(rest.documents).toEqual(whole.documents.slice(documents));
    expect(rest.places).toEqual(whole.places.slice(documents));
  }
  expect(openDescriptors()).toBeLessThanOrEqual(before);
}

describe('jsonlSource from a cursor', () => {
  const text = `\ufeff${lines(0, 60)}`;
  const long = `\ufeff${lines(0, 4000)}`;

  it.each([
    ['a.jsonl', text],
    ['torn.jsonl', text.trimEnd()],
  ])('goes on in the middle of %s', async (name, bytes) => {
    const path = join(temporaryFolder(), name);
    writeFileSync(path, bytes);
    for (const size of [40, 100, 1000]) await checkEveryCursor(() => path, size);
    await checkEveryCursor(() => path, 1000, { documents: true });
  });

  it.each([
    ['gzip', gzipSync(long)],
    ['brotli', brotliCompressSync(long, { params: { 1: 4 } })],
  ])('goes on in the middle of %s', async (name, bytes) => {
    const path = join(temporaryFolder(), name === 'gzip' ? 'a.gz' : 'a.br');
    writeFileSync(path, bytes);
    await checkEveryCursor(() => path, 1000, { documents: true });
  });

  it('goes on in a stream that begins anew', async () => {
    const chunks = [...text].map((character) => Buffer.from(character));
    await checkEveryCursor(() => Readable.from(chunks), 700);
    await checkEveryCursor(() => Readable.from([gzipSync(long)]), 700, { documents: true });
  });

  it('goes on in the middle of several files, whatever happened to those before', async () => {
    const folder = temporaryFolder();
    const paths = ['a', 'b', 'c'].map((name) => join(folder, `${name}.jsonl`));
    for (const path of paths) writeFileSync(path, lines(0, 50, path));
    await checkEveryCursor(() => join(folder, '*.jsonl'), 900);
    await checkEveryCursor(() => [...paths, ...paths], 900);
    const cursors: unknown[] = [];
    const whole = await read(
      createJsonlSource(paths, { batchBytes: 9000 }),
      {},
      undefined,
      (batch) => cursors.push(batch.cursor),
    );
    rmSync(paths[0]!);
    for (const input of [paths, join(folder, '*.jsonl')]) {
      const rest = await read(createJsonlSource(input), {}, cursors[1]);
      expect(rest.documents).toEqual(whole.documents.slice(100));
    }
  });

  it('takes bad lines once', async () => {
    const path = join(temporaryFolder(), 'a.jsonl');
    writeFileSync(
      path,
      `${lines(0, 3)}bad\n${lines(3, 5)}${'x'.repeat(999)}\n${lines(5, 9)}bad\nbad\n`,
    );
    const refused: unknown[] = [];
    const options = {
      batchBytes: 60,
      maxLineBytes: 500,
      onError: (reject: { place: { line?: number } }) => refused.push(reject.place.line),
    };
    const cursors: { cursor: unknown; refused: number }[] = [];
    await read(createJsonlSource(path, options), {}, undefined, ({ cursor }) =>
      cursors.push({ cursor, refused: refused.length }),
    );
    const all = [...refused];
    expect(all).toHaveLength(4);
    for (const { cursor, refused: before } of cursors) {
      refused.length = 0;
      await read(createJsonlSource(path, options), {}, cursor);
      expect(refused).toEqual(all.slice(before));
    }
  });

  it('stops at a bad line with a cursor in front of it', async () => {
    const path = join(temporaryFolder(), 'a.jsonl');
    writeFileSync(path, `${lines(1, 3)}bad\n${lines(3, 5)}`);
    let cursor: unknown;
    const reading = read(createJsonlSource(path), {}, undefined, (batch) => {
      cursor = batch.cursor;
    });
    await expect(reading).rejects.toMatchObject({ code: 'JSON_ERROR', place: { line: 3 } });
    writeFileSync(path, `${lines(1, 5)}`);
    expect((await read(createJsonlSource(path), {}, cursor)).documents).toMatchObject([
      { n: 3 },
      { n: 4 },
    ]);
  });

  describe('of a file that has changed', () => {
    const make = async (end: number, bytes = lines(0, end)) => {
      const path = join(temporaryFolder(), 'a.jsonl');
      writeFileSync(path, bytes);
      let cursor: unknown;
      const source = createJsonlSource(path, { batchBytes: 1000 });
      await read(source, {}, undefined, (batch) => {
        cursor = batch.cursor;
      });
      return { path, source, cursor };
    };

    it('reads what has been appended, at any size', async () => {
      for (const end of [1, 5, 400]) {
        const { path, source, cursor } = await make(end);
        appendFileSync(path, lines(end, end + 3));
        utimesSync(path, 1, 1);
        const { documents } = await read(source, {}, cursor);
        expect(documents).toMatchObject([{ n: end }, { n: end + 1 }, { n: end + 2 }]);
      }
    });

    it('counts lines on where the last had no end', async () => {
      const { path, source, cursor } = await make(2, '{"n":0}\n{"n":1}');
      appendFileSync(path, '\n{"n":2}\n');
      const { places } = await read(source, {}, cursor);
      expect(places).toEqual([{ path, line: 3, offset: 16, ordinal: 2 }]);
    });

    it('counts lines from the first behind a byte order mark', async () => {
      const path = join(temporaryFolder(), 'a.jsonl');
      writeFileSync(path, '\ufeff{"n":x}\n');
      const source = createJsonlSource(path);
      let cursor: unknown;
      const first = read(source, {}, undefined, (batch) => {
        cursor = batch.cursor;
      });
      await expect(first).rejects.toMatchObject({ place: { line: 1 } });
      writeFileSync(path, '\ufeff{"n":1}\n{"n":x}\n');
      const second = read(source, {}, cursor);
      await expect(second).rejects.toMatchObject({ place: { line: 2 } });
    });

    const changes: [string, (path: string) => void][] = [
      ['shorter', (path) => truncateSync(path, 3000)],
      ['new', (path) => writeFileSync(path, lines(0, 900, 'b'))],
      [
        'changed at its beginning',
        (path) => writeFileSync(path, `{"n":9}${lines(0, 400).slice(7)}`),
      ],
      [
        'changed in front of the place',
        (path) => writeFileSync(path, `${lines(0, 400).slice(0, -20)}${' '.repeat(50)}`),
      ],
      ['gone', (path) => rmSync(path)],
    ];
    it.each(changes)('says so when it is %s', async (_, change) => {
      const { path, source, cursor } = await make(400);
      const before = openDescriptors();
      change(path);
      await expect(read(source, {}, cursor)).rejects.toMatchObject({
        code: expect.stringMatching(/CURSOR_MISMATCH|IO_ERROR/),
        place: { path },
      });
      expect(openDescriptors()).toBeLessThanOrEqual(before);
    });

    it('takes the same content under another compression', async () => {
      const { path, source, cursor } = await make(400);
      writeFileSync(path, gzipSync(lines(0, 402)));
      expect((await read(source, {}, cursor)).documents).toHaveLength(2);
      writeFileSync(path, gzipSync(lines(0, 300)));
      await expect(read(source, {}, cursor)).rejects.toMatchObject({ code: 'CURSOR_MISMATCH' });
    });
  });

  it('refuses inputs that have come before its place, or that it does not know', async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'b.jsonl'), lines(0, 9));
    const source = createJsonlSource(join(folder, '*.jsonl'));
    let cursor: unknown;
    await read(source, {}, undefined, (batch) => {
      cursor = batch.cursor;
    });
    writeFileSync(join(folder, 'a.jsonl'), lines(0, 9));
    const code = 'CURSOR_MISMATCH';
    await expect(read(source, {}, cursor)).rejects.toMatchObject({ code });
    const other = createJsonlSource(join(folder, 'a.jsonl'));
    await expect(read(other, {}, cursor)).rejects.toMatchObject({ code });
    for (const foreign of [7, 'text', {}, { source: 'a', offset: -1 }]) {
      expect(() => source.batches(new AbortController().signal, {}, foreign)).toThrow(
        expect.objectContaining({ code }),
      );
    }
  });
});
