import { Field, Utf8 } from 'apache-arrow';
import { expect, it } from 'vitest';
import { loadColumns } from '../../../src/arrow/column-view.ts';
import { decompressBlock } from '../../../src/io/decompress-block.ts';

it.each(['lz4', 'zstd'] as const)(
  'reads %s buffers of no bytes that begin with their size',
  (codec) => {
    // Of two empty texts: no validity; the offsets, which are not compressed (-1); and of the text its size, 0.
    const body = new Uint8Array(32);
    body.fill(255, 0, 8);
    const regions = Float64Array.of(0, 0, 0, 20, 24, 8);
    const layout = {
      rows: 2,
      nodes: Float64Array.of(2, 0),
      regions,
      codec,
      viewBuffers: new Float64Array(),
    };
    const [column] = loadColumns([new Field('s', new Utf8())], layout, body, {
      decompress: decompressBlock,
      dictionaries: new Map(),
      maxBytes: 1000,
      unionBitmaps: false,
    });
    expect(column).toMatchObject({ length: 2, validity: undefined, values: new Uint8Array(0) });
    expect([...column!.offsets!]).toEqual([0, 0, 0]);
  },
);
