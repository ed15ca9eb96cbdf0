import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Reject } from '../../src/core/reject.ts';
import { decodeJsonl } from '../../src/formats/jsonl.ts';
import { runs } from '../support/long.ts';

interface Outcome {
  documents: unknown[];
  places: unknown[];
  rejects: unknown[];
  cursor: unknown;
}

async function decode(
  chunks: Iterable<Uint8Array>,
  batchBytes: number,
  max: number,
): Promise<Outcome> {
  const rejects: Reject[] = [];
  const outcome: Outcome = { documents: [], places: [], rejects, cursor: undefined };
  const onError = (reject: Reject) => {
    rejects.push({ ...reject, bytes: reject.bytes.slice(0, 8) });
  };
  for await (const batch of decodeJsonl(chunks, { batchBytes, maxLineBytes: max, onError })) {
    outcome.documents.push(...batch.documents());
    for (let i = 0; i < batch.length; i++) outcome.places.push(batch.place(i));
    outcome.cursor = batch.cursor;
  }
  return outcome;
}

const line = fc.oneof(
  {
    weight: 5,
    arbitrary: fc
      .record({ _id: fc.string(), v: fc.jsonValue({ maxDepth: 2 }) })
      .map((d) => JSON.stringify(d)),
  },
  fc.constantFrom(
    '',
    '  ',
    'null',
    '{"a":',
    '"é"',
    '{"é":"\\ud800"}',
    '{"long":"0123456789012345678901234567890"}',
  ),
);
const text = fc
  .tuple(
    fc.array(fc.tuple(line, fc.constantFrom('\n', '\r\n')), { maxLength: 12 }),
    line,
    fc.boolean(),
  )
  .map(([lines, last, mark]) =>
    new TextEncoder().encode(
      `${mark ? '\ufeff' : ''}${lines.map(([l, end]) => l + end).join('')}${last}`,
    ),
  );

describe('JSONL cut anywhere', () => {
  it('gives the same documents, places and rejects as in one piece', async () => {
    await fc.assert(
      fc.asyncProperty(
        text,
        fc.array(fc.nat(), { maxLength: 8 }),
        fc.integer({ min: 1, max: 64 }),
        fc.constantFrom(20, 1 << 20),
        async (bytes, cuts, batchBytes, max) => {
          const whole = await decode([bytes.slice()], 1 << 20, max);
          const ends = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].sort(
            (a, b) => a - b,
          );
          const chunks: Uint8Array[] = [];
          let from = 0;
          for (const end of [...ends, bytes.length]) {
            chunks.push(bytes.slice(from, end));
            from = end;
          }
          const parts = await decode(chunks, batchBytes, max);
          expect(parts.documents).toEqual(whole.documents);
          expect(parts.places).toEqual(whole.places);
          expect(parts.rejects).toEqual(whole.rejects);
        },
      ),
      { numRuns: runs(300) },
    );
  });

  it('gives the same at every single cut and byte by byte', async () => {
    const bytes = new TextEncoder().encode(
      '\ufeff{"_id":"ä€😀"}\r\n\n{"x":[1,{"y":"\\u00e9"}]}\nbad\n{"_id":"z"}',
    );
    const whole = await decode([bytes.slice()], 1 << 20, 1 << 20);
    expect(whole.documents).toHaveLength(3);
    for (let cut = 0; cut <= bytes.length; cut++) {
      const parts = await decode([bytes.slice(0, cut), bytes.slice(cut)], 1, 1 << 20);
      expect({ ...parts, cursor: 0 }).toEqual({ ...whole, cursor: 0 });
    }
    const single = await decode(
      [...bytes].map((byte) => Uint8Array.of(byte)),
      1,
      1 << 20,
    );
    expect({ ...single, cursor: 0 }).toEqual({ ...whole, cursor: 0 });
  });
});
