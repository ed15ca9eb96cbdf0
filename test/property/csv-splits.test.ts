import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Reject } from '../../src/core/reject.ts';
import { readChunks } from '../../src/formats/chunk-reader.ts';
import { type CsvCursor, type CsvOptions, decodeCsv, decodeRows } from '../../src/formats/csv.ts';
import { runs } from '../support/long.ts';
import { csvBytes } from '../support/random-csv.ts';

const names = ['a', 'b', 'c'];

async function decode(chunks: Iterable<Uint8Array>, options: CsvOptions, endsMidLine = false) {
  const rejects: Reject[] = [];
  const found = { documents: [] as unknown[], places: [] as unknown[], rejects };
  let cursor: CsvCursor | undefined;
  const onError = (reject: Reject) => void rejects.push(reject);
  const reader = Object.assign(readChunks(chunks), { endsMidLine });
  for await (const batch of decodeRows(reader, { ...options, onError })) {
    found.documents.push(...batch.documents());
    for (let i = 0; i < batch.length; i++) found.places.push(batch.place(i));
    cursor = batch.cursor as CsvCursor;
  }
  return { ...found, cursor };
}

describe('CSV cut anywhere', () => {
  // Others are refused as UTF-16, unless they are cut behind the first byte.
  const utf8Bytes = csvBytes.filter(([a, b]) => b === undefined || (a === 0) === (b === 0));
  const options = fc.record(
    {
      columns: fc.constant(names),
      ragged: fc.constantFrom('fit' as const, 'error' as const),
      maxRowBytes: fc.constantFrom(12, 1000),
      delimiter: fc.constantFrom(',', ';'),
      trim: fc.boolean(),
    },
    { requiredKeys: ['columns'] },
  );

  it('gives the same documents, places and rejects as in one piece', async () => {
    await fc.assert(
      fc.asyncProperty(
        utf8Bytes,
        options,
        fc.array(fc.nat(), { maxLength: 6 }),
        fc.constantFrom(1, 5, 30),
        fc.boolean(),
        async (bytes, how, cuts, batchBytes, documents) => {
          const { cursor: __, ...whole } = await decode([bytes.slice()], how);
          const ends = cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b);
          const chunks = [...ends, bytes.length].map((end, i) =>
            bytes.slice(ends[i - 1] ?? 0, end),
          );
          const { cursor: _, ...found } = await decode(chunks, { ...how, batchBytes, documents });
          expect(found).toEqual(whole);
        },
      ),
      { numRuns: runs(300) },
    );
  });

  it('gives the same where it grows while it is read and is gone on with', async () => {
    await fc.assert(
      fc.asyncProperty(
        utf8Bytes,
        options,
        fc.nat(),
        fc.boolean(),
        async (bytes, some, at, documents) => {
          // Of less of a file something else may be found out.
          const how = {
            delimiter: ',',
            quote: '"',
            escape: '"',
            types: 'string' as const,
            ...some,
          };
          const whole = await decode([bytes.slice()], how);
          const cut = at % (bytes.length + 1);
          const first = await decode([bytes.slice(0, cut)], { ...how, documents }, true);
          const { offset, line, row, layout } = first.cursor ?? { offset: 0, line: 0, row: 0 };
          const from = layout && { offset, line, row, layout };
          const rest = await decode([bytes.slice(offset)], { ...how, ...(from && { from }) });
          expect([...first.documents, ...rest.documents]).toEqual(whole.documents);
          expect([...first.places, ...rest.places]).toEqual(whole.places);
        },
      ),
      { numRuns: runs(300) },
    );
  });
});

describe('CSV read to objects', () => {
  const how = fc.record(
    {
      columns: fc.constant(names),
      ragged: fc.constantFrom('fit' as const, 'error' as const),
      types: fc.constantFrom('infer' as const, { a: 'number' as const, b: 'integer' as const }),
      empty: fc.constantFrom('null' as const, 'omit' as const, 'string' as const),
      onError: fc.constantFrom('stop' as const, 'skip' as const),
      maxRowBytes: fc.constantFrom(12, 1000),
    },
    { requiredKeys: ['columns'] },
  );

  async function collect(bytes: Uint8Array, options: CsvOptions) {
    const found = { lines: '', documents: [] as string[], cursors: [] as unknown[], error: '' };
    try {
      for await (const batch of decodeCsv([bytes.slice()], options)) {
        found.documents.push(...batch.documents().map((each) => JSON.stringify(each)));
        found.lines += new TextDecoder().decode(batch.bytes());
        found.cursors.push(batch.cursor);
      }
    } catch (error) {
      found.error = String(error);
    }
    return found;
  }

  it('gives, on demand, the very bytes of the other way', async () => {
    await fc.assert(
      fc.asyncProperty(csvBytes, how, async (bytes, options) => {
        expect(await collect(bytes, { ...options, documents: true })).toEqual(
          await collect(bytes, options),
        );
      }),
      { numRuns: runs(500) },
    );
  });
});
