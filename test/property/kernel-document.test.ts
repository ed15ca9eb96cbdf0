/** One document from its bytes: what JSON.parse makes of them, or nothing. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createTwinKernel } from '../../src/kernels/twin/index.ts';
import { kernels } from '../support/kernels.ts';
import { runs } from '../support/long.ts';
import { jsonObject, jsonValue, mutated } from '../support/random-documents.ts';

const encoder = new TextEncoder();

describe.each(kernels)('$name kernel', (kernel) => {
  it('reads one document as JSON.parse does', () => {
    fc.assert(
      fc.property(jsonObject, (text) => {
        const found = kernel.document(encoder.encode(text));
        expect(found).toEqual(JSON.parse(text));
        expect(JSON.stringify(found)).toBe(JSON.stringify(JSON.parse(text)));
      }),
      { numRuns: runs(400) },
    );
  });

  it('takes bytes that are no document, or more than one, for none', () => {
    const twin = createTwinKernel();
    fc.assert(
      fc.property(fc.oneof(mutated(jsonObject), mutated(jsonValue)), (bytes) => {
        expect(JSON.stringify(kernel.document(bytes))).toBe(JSON.stringify(twin.document(bytes)));
      }),
      { numRuns: runs(1000) },
    );
    for (const text of ['', '{', '[]', '1', 'null', '{}{}', '{}\n{}', '{"a":1} x', '\ufeff{}']) {
      expect(kernel.document(encoder.encode(text)), text).toBeUndefined();
    }
    expect(
      kernel.document(Uint8Array.of(0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d)),
    ).toBeUndefined();
  });

  it('gives strings that outlive the next call', () => {
    const first = kernel.document(encoder.encode('{"a":"a longer text than thirteen","b":[1]}'));
    kernel.document(encoder.encode('{"a":"xxxxxxxxxxxxxxxxxxxxxxxxxxxxx","b":[2]}'));
    expect(first).toEqual({ a: 'a longer text than thirteen', b: [1] });
  });
});
