/** Our reading of zstd frames, which Node before 22.15 uses; tried on every Node. */
import { execFileSync } from 'node:child_process';
import zlib from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { Unzstd } from '../../../src/io/unzstd.ts';

interface Frame {
  readonly hex: string;
  readonly content: string;
  /** The descriptor announces a checksum. */
  readonly checked?: boolean;
}

const lines = Array.from(
  { length: 24 },
  (_, i) => `{"_id":"${i}","name":"user ${(i * 7919) % 1009}"}\n`,
);

/** Made by zstd 1.5.4, with the options named: from standard input without the content's size, from a file with it. */
const FRAMES: Readonly<Record<string, Frame>> = {
  'Huffman codes, no size (zstd <)': {
    hex:
      '28b52ffd04587505007287151790296dcb62c919cd31773fd5522689dc6940e5fb51e0024632efd58b6dac9f6472b36e2cb6ffea7a0f' +
      '315d637b5545b4d64a5a1e6ff96631f33dcbe8ae8aee7258231902209084628e410c83c30486e6184241308b2e2080a3341d9d38f00e' +
      '73588739bc636374971bdde5c6bb0bfa401a88c9703348344610f099431988c9703148cc18184197bf312dd13566bfc6e8d718d82fc6' +
      '409d194e17c6e8d798fd1a43fb0dc6e07e79223a016ac158ca',
    content: lines.join(''),
    checked: true,
  },
  'Huffman codes, the size in 2 bytes (zstd -19)': {
    hex:
      '28b52ffd64da013d0400b2c71514901b1e0b615feb9afa1f802c2992d16e3afb9a13c0436b79b5fa3b9b6ed7ebd6b7673d6e6fea6f33' +
      '99b17f677bde193396196a632f2ff65a2be273fbb032ef6aafc9063c54c172300d0d7424854202150d64200439012ea811e01ddfff0d' +
      'c0570e104e84508a3e83c5e7add4eb415e6f8a577da1fe66340e46d9f6dd0f72e6f26057016ac158ca',
    content: lines.join(''),
    checked: true,
  },
  'the size in 4 bytes, several blocks (zstd)': {
    hex: '28b52ffda4e09304004c000008610100fcff39100202001061039f04618d5f04a6',
    content: 'a'.repeat(300_000),
    checked: true,
  },
  'several blocks, no size, no checksum (zstd --no-check <)': {
    hex: '28b52ffd00585400001061610100fbff39c00202001061039f0461',
    content: 'a'.repeat(300_000),
  },
  'nothing (zstd <)': { hex: '28b52ffd240001000099e9d851', content: '', checked: true },
  'nothing, no checksum (zstd --no-check <)': { hex: '28b52ffd2000010000', content: '' },
};
/** A frame to be passed over, as RFC 8878 has it. */
const OTHER = Buffer.from('5c2a4d180500000001020304ff', 'hex');

function unpack(bytes: Uint8Array, pieceBytes = bytes.length): string {
  const unzstd = new Unzstd();
  const found: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += pieceBytes) {
    found.push(...unzstd.push(bytes.subarray(at, at + pieceBytes)));
  }
  unzstd.end();
  return Buffer.concat(found).toString();
}

/** As `unpack`, but undefined for an error. */
function tryUnpack(bytes: Uint8Array): string | undefined {
  try {
    return unpack(bytes);
  } catch {
    return undefined;
  }
}

describe.each(Object.entries(FRAMES))('a frame of %s', (_, { hex, content, checked = false }) => {
  const frame = Buffer.from(hex, 'hex');

  it.each([1, 2, 3, 5, 18, 1000])('gives its content, in pieces of %i', (size) => {
    expect(unpack(frame, size) === content).toBe(true);
  });

  it('is an error wherever it is cut', () => {
    for (let size = 1; size < frame.length; size++) {
      expect(() => unpack(frame.subarray(0, size)), `${size}`).toThrow('unexpected end of file');
    }
  });

  it.runIf(checked)('gives its content or an error, whichever bit is flipped', () => {
    let refused = 0;
    for (let bit = 0; bit < frame.length * 8; bit++) {
      const damaged = Buffer.from(frame);
      damaged[bit >> 3]! ^= 1 << (bit & 7);
      const found = tryUnpack(damaged);
      if (found === undefined) refused++;
      else expect(found === content, `bit ${bit}`).toBe(true);
    }
    // The rest says how large a window is, or is not looked at by any decompressor.
    expect(refused).toBeGreaterThan(frame.length * 8 - 32);
  });
});

describe('frames one behind the other', () => {
  const all = Object.values(FRAMES);
  const parts = all.flatMap(({ hex }) => [OTHER, Buffer.from(hex, 'hex')]);
  const bytes = Buffer.concat([...parts, OTHER]);

  it.each([1, 7, 100, 10_000])('give the content of each, in pieces of %i', (size) => {
    expect(unpack(bytes, size) === all.map(({ content }) => content).join('')).toBe(true);
  });

  it('are an error where they are cut within one', () => {
    const ends = new Set<number>();
    let end = 0;
    for (const part of [...parts, OTHER]) {
      end += part.length;
      ends.add(end);
    }
    for (let size = 1; size <= bytes.length; size++) {
      expect(tryUnpack(bytes.subarray(0, size)) !== undefined, `${size}`).toBe(ends.has(size));
    }
  });

  it('are an error where anything else stands behind one', () => {
    for (const rest of ['00000000', '00', '28b52ffe', '602a4d1800000000']) {
      expect(() => unpack(Buffer.concat([...parts, Buffer.from(rest, 'hex')])), rest).toThrow();
    }
  });
});

describe('what a frame announces', () => {
  /** Of a descriptor and its fields; behind them 16 times "a" in one block. */
  const frameOf = (header: string) => Buffer.from(`28b52ffd${header}83000061`, 'hex');

  it('may be the size, in any of its forms', () => {
    for (const header of ['2010', 'a010000000', 'e01000000000000000', '800010000000', '0000']) {
      expect(unpack(frameOf(header)), header).toBe('a'.repeat(16));
    }
    // Two bytes stand for 256 more than they say.
    expect(() => unpack(frameOf('601000'))).toThrow('16 bytes where 272');
  });

  it('more or less content is an error', () => {
    for (const size of ['0f', '11']) {
      expect(() => unpack(frameOf(`20${size}`)), size).toThrow();
    }
    expect(() => unpack(frameOf('800011000000'))).toThrow('16 bytes where 17');
    expect(() => unpack(frameOf('80000f000000'))).toThrow('16 bytes where 15');
  });

  it('a dictionary is an error, but for number 0', () => {
    expect(() => unpack(frameOf('210110'))).toThrow('dictionary');
    expect(() => unpack(frameOf('230000000110'))).toThrow('dictionary');
    expect(unpack(frameOf('210010'))).toBe('a'.repeat(16));
  });

  it('a window of more than 128 MiB is an error', () => {
    expect(unpack(frameOf('0088'))).toBe('a'.repeat(16));
    expect(() => unpack(frameOf('0089'))).toThrow('window');
    expect(() => unpack(frameOf('00ff'))).toThrow('window');
  });
});

it('gives a block at a time, however much the bytes hold', () => {
  // 20,000 blocks of 128 KiB each.
  const blocks = Buffer.alloc(80_000, Buffer.from('02001061', 'hex'));
  const content = new Unzstd().push(Buffer.concat([Buffer.from('28b52ffd0058', 'hex'), blocks]));
  const before = process.memoryUsage().arrayBuffers;
  const sizes = [content.next(), content.next(), content.next()].map(({ value }) => value?.length);
  expect(sizes).toEqual([131_072, 131_072, 131_072]);
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(16 << 20);
});

const samples: readonly Buffer[] = [
  Buffer.from(Array.from({ length: 9000 }, (_, i) => lines[(i * i) % 24]! + i).join('')),
  Buffer.from(Array.from({ length: 200_000 }, (_, i) => Math.imul(i, 2654435761) >>> 24)),
  Buffer.from(
    Array.from({ length: 70_000 }, (_, i) => (Math.imul(i * i, 2654435761) >>> 11) & 0xff),
  ),
  Buffer.alloc(500_000),
];
const isRead = (compress: (sample: Buffer) => Buffer) => {
  for (const sample of samples) {
    const frame = compress(sample);
    expect(unpack(frame, 40_000) === sample.toString()).toBe(true);
    const damaged = Buffer.from(frame);
    damaged[damaged.length - 1]! ^= 1;
    expect(() => unpack(damaged)).toThrow('checksum');
  }
};

const { zstdCompressSync, constants } = zlib as unknown as {
  zstdCompressSync?: (bytes: Buffer, options: { params: Record<number, number> }) => Buffer;
  constants: Readonly<Record<string, number>>;
};
it.skipIf(!zstdCompressSync)('reads what Node writes (from 22.15 on)', () => {
  for (const level of [1, 5, 19]) {
    const { ZSTD_c_checksumFlag: flag, ZSTD_c_compressionLevel: grade } = constants;
    isRead((sample) => zstdCompressSync!(sample, { params: { [flag!]: 1, [grade!]: level } }));
  }
});

const zstd = (options: readonly string[], input: Buffer) =>
  execFileSync('zstd', ['-q', '-c', ...options], { input, maxBuffer: 1 << 26 });
const hasZstd = (() => {
  try {
    return zstd([], Buffer.of(1)).length > 0;
  } catch {
    return false;
  }
})();
describe.skipIf(!hasZstd)(`the zstd tool${hasZstd ? '' : ' (none here)'}`, () => {
  it.each([['-1'], ['-3'], ['-19'], ['--long=27'], ['--fast=5']])('is read at %s', (...options) =>
    isRead((sample) => zstd(options, sample)),
  );
});
