/**
 * What of an archive does not fit 32 bits: sizes and places. ZDS_FUZZ=long writes entries beyond 4 GiB,
 * into a file that keeps nothing of zeros; else what they need is looked at in a small one. The number
 * of entries: test/interop/archive-tools.
 */
import { describe, expect, it } from 'vitest';
import type { DiskFile } from '../../../src/io/disk.ts';
import { readDirectory } from '../../../src/store/archive/directory.ts';
import { findContents } from '../../../src/store/archive/entry-data.ts';
import { ZipWriter } from '../../../src/store/archive/zip-writer.ts';
import { LONG } from '../../support/long.ts';

const PIECE = Buffer.alloc(32 << 20);

/** A file in memory of which long writes are taken to be zeros. */
function sparseFile(): DiskFile {
  const kept: { readonly at: number; readonly bytes: Uint8Array }[] = [];
  let size = 0;
  const file: Partial<DiskFile> = {
    path: 'large.zip',
    size: async () => size,
    async write(bytes: Uint8Array, at: number) {
      size = Math.max(size, at + bytes.length);
      if (bytes.length < PIECE.length) kept.push({ at, bytes: bytes.slice() });
    },
    async read(target: Uint8Array, offset: number) {
      const got = Math.max(0, Math.min(target.length, size - offset));
      target.fill(0, 0, got);
      for (const { at, bytes } of kept) {
        const from = Math.max(at, offset);
        const to = Math.min(at + bytes.length, offset + got);
        if (from < to) target.set(bytes.subarray(from - at, to - at), from - offset);
      }
      return got;
    },
  };
  return file as DiskFile;
}

async function* zeros(bytes: number): AsyncGenerator<Uint8Array, void, void> {
  for (let left = bytes; left > 0; left -= PIECE.length) yield PIECE.subarray(0, left);
}

describe('an entry that may pass 4 GiB', () => {
  it('has room for sizes of 64 bits in its own header', async () => {
    const file = sparseFile();
    const zip = new ZipWriter(file, 'store');
    const bytes = 100_000;
    expect(await zip.addFile('may', zeros(bytes), 2 ** 32)).toBe(bytes);
    expect(await zip.addFile('never', zeros(bytes), 2 ** 31)).toBe(bytes);
    await zip.finish();
    const entries = await readDirectory(file);
    expect(entries).toMatchObject([
      { name: 'may', size: bytes, packedSize: bytes },
      { name: 'never', size: bytes, packedSize: bytes },
    ]);
    const header = Buffer.alloc(30 + 3 + 20);
    await file.read(header, entries[0]!.offset);
    expect([header.readUInt32LE(18), header.readUInt32LE(22)]).toEqual([2 ** 32 - 1, 2 ** 32 - 1]);
    const extra = [header.readUInt16LE(33), header.readUInt16LE(35)];
    expect(extra).toEqual([1, 16]);
    expect([header.readBigUInt64LE(37), header.readBigUInt64LE(45)]).toEqual([100_000n, 100_000n]);
    expect(await findContents(file, entries[0]!)).toBe(header.length);
    await file.read(header, entries[1]!.offset);
    expect([header.readUInt32LE(18), header.readUInt16LE(28)]).toEqual([bytes, 0]);
  });

  it.runIf(LONG)(
    'is found with all behind it when it does',
    async () => {
      const file = sparseFile();
      const zip = new ZipWriter(file, 'store');
      const bytes = 2 ** 32 + 5;
      await zip.addFile('large', zeros(bytes), bytes);
      await zip.addFile('behind', zeros(9), 9);
      await zip.finish();
      const entries = await readDirectory(file);
      expect(entries).toMatchObject([
        { name: 'large', size: bytes, packedSize: bytes, offset: 0 },
        { name: 'behind', size: 9, packedSize: 9 },
      ]);
      const [large, behind] = entries as [(typeof entries)[0], (typeof entries)[0]];
      expect(await findContents(file, large)).toBe(30 + 5 + 20);
      expect(behind.offset).toBe(30 + 5 + 20 + bytes);
      expect(await findContents(file, behind)).toBe(behind.offset + 30 + 6);
    },
    120_000,
  );
});
