import { Readable } from 'node:stream';
import { ReadableStream } from 'node:stream/web';
import { expect, it } from 'vitest';
import { csvSource } from '../../../src/sources/csv-source.ts';
import { encodeTexts } from '../../../src/sources/encode-texts.ts';
import { jsonSource } from '../../../src/sources/json-source.ts';
import { jsonlSource } from '../../../src/sources/jsonl-source.ts';

const EMOJI = 'é😀😀€😀';

function* cut(text: string, size: number): Generator<never> {
  for (let at = 0; at < text.length; at += size) yield text.slice(at, at + size) as never;
}

async function encode(chunks: Iterable<unknown>): Promise<string> {
  const found: Uint8Array[] = [];
  for await (const bytes of encodeTexts(chunks, { path: 'p' })) found.push(bytes);
  return Buffer.concat(found).toString();
}

it.each([1, 2, 3, 5, 100])('joins characters that texts of %i units cut', async (size) => {
  const json = JSON.stringify({ a: EMOJI });
  const whole = [{ a: EMOJI }];
  expect(await encode(cut(EMOJI, size))).toBe(EMOJI);
  expect(await jsonlSource(cut(`${json}\n`, size)).toArray()).toEqual(whole);
  expect(await jsonSource(Readable.from(cut(json, size))).toArray()).toEqual(whole);
  const web = ReadableStream.from(cut(`a\n${EMOJI}\n`, size)) as ReadableStream<never>;
  expect(await csvSource(web).toArray()).toEqual(whole);
});

it('takes bytes and texts in turn', async () => {
  expect(await encode(['é', Buffer.from('😀'), '', '\ud83d', '', '\ude00'])).toBe('é😀😀');
});

it.each([
  [['a\ud83d']],
  [['a\ud83d', 'b']],
  [['a\ud83d', Buffer.from('b')]],
  [['\ude00']],
  [['a\ud83d', '\ud83d\ude00']],
])('refuses half of a character: %j', async (chunks) => {
  const error = { code: 'INVALID_UTF8', place: { path: 'p' } };
  await expect(encode(chunks)).rejects.toMatchObject(error);
});

it('refuses what is neither bytes nor text', async () => {
  await expect(encode([{}])).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
});
