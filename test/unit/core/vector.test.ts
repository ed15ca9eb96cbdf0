/** Vectors come back bit for bit from both forms, with and without Node's Buffer. */
import fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { decodeVector, encodeVector, vectorNumbers } from '../../../src/core/vector.ts';

const bits = (vector: Float32Array) => [...new Uint32Array(vector.slice().buffer)];
const anyFloats = fc.float32Array({ maxLength: 40 });
const finite = fc.float32Array({ maxLength: 40, noNaN: true, noDefaultInfinity: true });
const small = finite.map((vector) => vector.map((value) => value % 1));

afterEach(() => vi.unstubAllGlobals());

describe('encodeVector', () => {
  it('keeps every float', () => {
    fc.assert(
      fc.property(anyFloats, (vector) => {
        expect(bits(decodeVector(encodeVector(vector)))).toEqual(bits(vector));
      }),
    );
  });

  it('is base64 of little-endian floats, Buffer or not', () => {
    const text = 'AACAPwAAAMA=';
    expect(encodeVector([1, -2])).toBe(text);
    const part = Float32Array.of(9, 1, -2).subarray(1);
    expect(encodeVector(part)).toBe(text);
    vi.stubGlobal('Buffer', undefined);
    expect(encodeVector(part)).toBe(text);
    expect([...decodeVector(text)]).toEqual([1, -2]);
  });
});

describe('vectorNumbers', () => {
  it('keeps every float through JSON, in few digits', () => {
    for (const floats of [finite, small]) {
      fc.assert(
        fc.property(floats, (vector) => {
          const text = JSON.stringify(vectorNumbers(vector));
          // JSON has no -0.
          const plain = vector.map((value) => value + 0);
          expect(bits(decodeVector(JSON.parse(text)))).toEqual(bits(plain));
        }),
      );
    }
    expect(
      JSON.stringify(vectorNumbers(Float32Array.of(0.1, -0.25, 1 / 3, 123456.789, 1e-20))),
    ).toBe('[0.1,-0.25,0.33333334,123456.79,1e-20]');
  });

  it('refuses what JSON cannot say', () => {
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(() => vectorNumbers(Float32Array.of(1, value))).toThrow(/element 1/);
    }
  });
});

describe('decodeVector', () => {
  it('refuses what is no vector', () => {
    for (const value of [
      null,
      {},
      'abc',
      'AAA=',
      '####',
      'AA#AAAA=',
      'AAAAAAA',
      [1, '2'],
      [null],
      7,
    ]) {
      expect(() => decodeVector(value), JSON.stringify(value)).toThrow(/not a vector/);
    }
    expect(decodeVector([])).toEqual(new Float32Array(0));
    expect(decodeVector('')).toEqual(new Float32Array(0));
  });
});
