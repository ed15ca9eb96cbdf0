import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RawKeys } from '../../../src/transforms/raw-keys.ts';
import { RawValue } from '../../../src/transforms/raw-value.ts';

const encoder = new TextEncoder();

function read(text: string): RawValue {
  const value = new RawValue(new Uint8Array(0));
  const bytes = encoder.encode(`[${text}]`);
  value.moveTo(bytes, 1, bytes.length - 1);
  return value;
}

describe('RawValue', () => {
  it('reads numbers as JSON.parse does', () => {
    const written = fc.oneof(
      fc.double({ noNaN: true, noDefaultInfinity: true }).map((each) => JSON.stringify(each)),
      fc.integer().map(String),
      fc.bigInt({ min: -(10n ** 20n), max: 10n ** 20n }).map(String),
      fc
        .tuple(fc.integer({ min: -99_999_999, max: 99_999_999 }), fc.stringMatching(/^\d{1,9}$/))
        .map(([whole, fraction]) => `${whole}.${fraction}`),
      fc.constantFrom(
        '-0',
        '0',
        '-0.0',
        '1e5',
        '1E-7',
        '0.1',
        '1e999',
        '999999999999999',
        '99999999999999.9',
      ),
    );
    fc.assert(
      fc.property(written, (text) => {
        expect(read(text).number).toBe(JSON.parse(text));
        expect(read(text).isInteger).toBe(/^-?\d+$/.test(text));
      }),
      { numRuns: 2000 },
    );
  });

  it('takes no integer of more digits than arithmetic should have', () => {
    expect(read('1'.repeat(64)).isInteger).toBe(true);
    expect(read('1'.repeat(65)).isInteger).toBe(false);
  });
});

describe('RawKeys', () => {
  it('never gives what belongs to another key', () => {
    const part = fc.option(
      fc.string({ unit: fc.constantFrom('a', 'b', '"', ','), minLength: 1, maxLength: 4 }),
      { nil: undefined },
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(part, part), { maxLength: 200 }), (keys) => {
        const known = new RawKeys<string>();
        const model = new Map<string, string>();
        for (const [first, second] of keys) {
          const bytes = encoder.encode(`${first ?? ''}${second ?? ''}`);
          const middle = first?.length ?? 0;
          const parts = [
            first === undefined ? undefined : { start: 0, end: middle },
            second === undefined ? undefined : { start: middle, end: bytes.length },
          ];
          const name = JSON.stringify([first, second]);
          const found = known.find(bytes, parts, 2);
          if (found === undefined) known.add(name);
          else expect(found).toBe(name);
          if (model.size < 8) expect(found === undefined).toBe(!model.has(name));
          model.set(name, name);
        }
      }),
    );
  });

  it('grows', () => {
    const known = new RawKeys<number>();
    const bytes = encoder.encode(
      Array.from({ length: 10_000 }, (_, i) => `k${10_000 + i}`).join(''),
    );
    const key = (i: number) => [{ start: i * 6, end: i * 6 + 6 }];
    for (let i = 0; i < 10_000; i++) {
      expect(known.find(bytes, key(i), 1)).toBeUndefined();
      known.add(i);
    }
    let found = 0;
    for (let i = 0; i < 10_000; i++) {
      const value = known.find(bytes, key(i), 1);
      if (value === undefined) continue;
      expect(value).toBe(i);
      found++;
    }
    expect(found).toBeGreaterThan(9_000);
    expect(known.byteLength).toBeGreaterThan(60_000);
  });
});
