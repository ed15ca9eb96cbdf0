import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { decompress, detectCompression, isTooShortToTell } from '../../../src/io/decompress.ts';

/** A frame of the text "a", by the zstd tool, and one to be passed over, as pzstd writes it. */
const DATA = Buffer.from('28b52ffd0458090000615b6e8ca9', 'hex');
const OTHER = Buffer.of(0x50, 0x2a, 0x4d, 0x18, 4, 0, 0, 0, 1, 2, 3, 4);

async function unpack(bytes: Buffer, size: number): Promise<string> {
  async function* pieces() {
    for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
  }
  const found: Uint8Array[] = [];
  for await (const piece of decompress(pieces(), 'zstd')) found.push(piece);
  return Buffer.concat(found).toString();
}

it.each([0x50, 0x5f])('tells zstd by a frame that is passed over (%i)', (type) => {
  const head = Buffer.of(type, 0x2a, 0x4d, 0x18);
  expect(detectCompression(head)).toBe('zstd');
  for (const size of [0, 1, 2, 3]) expect(isTooShortToTell(head.subarray(0, size))).toBe(true);
  expect(isTooShortToTell(head)).toBe(false);
  expect(detectCompression(head.subarray(0, 3))).toBe('none');
  expect(detectCompression(head.subarray(0, 3), 'a.zst')).toBe('zstd');
});

it.each([
  [0x4f, 0x2a, 0x4d, 0x18],
  [0x60, 0x2a, 0x4d, 0x18],
  [0x50, 0x2a, 0x4d, 0x19],
])('does not take %i %i %i %i for zstd', (...head) => {
  expect(detectCompression(Uint8Array.from(head))).toBe('none');
});

it.each([1, 5, 1000])(
  'passes over such frames wherever they stand, in pieces of %i',
  async (size) => {
    const all = [OTHER, DATA, OTHER, OTHER, DATA, OTHER];
    expect(await unpack(Buffer.concat(all), size)).toBe('aa');
    expect(await unpack(OTHER, size)).toBe('');
    for (const cut of [4, 7, 8, 11, OTHER.length + 5]) {
      const early = unpack(Buffer.concat(all).subarray(0, cut), size);
      await expect(early, `${cut} bytes`).rejects.toMatchObject({ code: 'TRUNCATED_INPUT' });
    }
  },
);

it.each(['checksum', 'content'])(
  'says CORRUPTED_INPUT for a frame whose %s was changed',
  async (part) => {
    const frame = Buffer.from(DATA);
    frame[part === 'content' ? 9 : frame.length - 1]! ^= 1;
    for (const bytes of [frame, Buffer.concat([DATA, OTHER, frame, DATA])]) {
      await expect(unpack(bytes, 5)).rejects.toMatchObject({ code: 'CORRUPTED_INPUT' });
    }
  },
);

describe.each([
  ['gzip', gzipSync],
  ['brotli', brotliCompressSync],
  // By the zstd tool: two frames.
  ['zstd', () => Buffer.concat([DATA, DATA])],
] as const)('%s that ends too early', (compression, pack) => {
  const text = compression === 'zstd' ? 'aa' : randomBytes(600_000).toString('base64');
  const bytes = pack(text);
  const cut = bytes.length - 3;
  // Small pieces, so that nothing is lost within one that the end breaks off.
  async function* pieces(failure?: Error) {
    for (let at = 0; at < cut; at += 1000) yield bytes.subarray(at, Math.min(at + 1000, cut));
    if (failure) throw failure;
  }
  const read = async (failure: Error | undefined, pauseMs: number) => {
    let found = '';
    let error: unknown;
    try {
      for await (const piece of decompress(pieces(failure), compression)) {
        found += Buffer.from(piece);
        await sleep(pauseMs);
      }
    } catch (thrown) {
      error = thrown;
    }
    return { found, error };
  };
  const reset = Object.assign(new Error('reset'), { code: 'ECONNRESET' });

  it.each([0, 30])('gives all in front, also to who is slow (%i ms)', async (pauseMs) => {
    const whole = await read(undefined, pauseMs);
    expect(whole.error).toMatchObject({ code: 'TRUNCATED_INPUT' });
    expect(text.startsWith(whole.found)).toBe(true);
    expect(whole.found.length).toBeGreaterThanOrEqual(
      compression === 'zstd' ? 1 : text.length * 0.99,
    );
    const failed = await read(reset, pauseMs);
    expect(failed.error).toBe(reset);
    expect(failed.found === whole.found).toBe(true);
  });
});
