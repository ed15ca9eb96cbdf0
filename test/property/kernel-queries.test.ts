import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Document, LineRecord, RECORD_WORDS } from '../../src/core/batch.ts';
import type { Predicate } from '../../src/core/predicate.ts';
import {
  buildSelection,
  type Column,
  type ColumnType,
  evaluate,
  type FieldStats,
  type Kernel,
  needsExactIntegers,
  projectDocument,
} from '../../src/kernels/index.ts';
import { kernels } from '../support/kernels.ts';
import { runs } from '../support/long.ts';
import { chunk, denseChunk, documentLines } from '../support/random-documents.ts';
import { path, predicate, selected } from '../support/random-queries.ts';
import { readRows } from '../support/read-column.ts';
import { exactText, referenceLines } from '../support/reference-lines.ts';

const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
const encoder = new TextEncoder();
const skips = fc.option(fc.array(fc.constantFrom(0, 0, 1, 255), { minLength: 64, maxLength: 64 }), {
  nil: undefined,
});
/** What evaluate says of JSON.parse's objects; predicates that need more are compared elsewhere. */
const plainPredicate = predicate.filter((each) => !needsExactIntegers(each));

describe.each(kernels)('queries of the $name kernel', (kernel) => {
  it('keep the documents that evaluate keeps', () => {
    fc.assert(
      fc.property(chunk, plainPredicate, skips, (bytes, where, skipped) => {
        const { documents, skip } = readChunk(bytes, skipped);
        const kept = documents.filter((document, i) => !skip?.[i] && evaluate(where, document));
        const selector = kernel.selector({ where });
        const table = selector.filter(bytes, skip);
        const filtered = kernel.codec.decode(table.bytes, table.records, table.count);
        const found = selector.documents(bytes, skip);
        const whole = kernel.lines(bytes);
        expect(exactText(filtered)).toBe(exactText(kept));
        expect(exactText(found.documents)).toBe(exactText(kept));
        expect([table.bad, found.bad]).toEqual([whole.bad, whole.bad]);
        expect(table.lineCount).toBe(whole.lineCount);
        expect(table.dense).toBe(whole.dense && table.count === whole.count);
      }),
      { numRuns: runs(500) },
    );
  });

  it('keep a document or its complement', () => {
    fc.assert(
      fc.property(denseChunk, predicate, (bytes, where) => {
        const kept = kernel.selector({ where }).filter(bytes);
        const left = kernel.selector({ where: { op: 'not', term: where } }).filter(bytes);
        expect(kept.count + left.count).toBe(kernel.lines(bytes).count);
      }),
      { numRuns: runs(200) },
    );
  });

  it('project bytes to what they project objects to', () => {
    const where = fc.option(plainPredicate, { nil: undefined });
    fc.assert(
      fc.property(chunk, where, selected, skips, (bytes, where, select, skipped) => {
        const { documents, skip, lines } = readChunk(bytes, skipped);
        const selection = buildSelection(select);
        const kept = documents.map((document, i) => ({ document, line: lines[i]! }));
        const expected = kept.filter(
          ({ document }, i) => !skip?.[i] && (!where || evaluate(where, document)),
        );
        const projected = expected.map(({ document }) => projectDocument(document, selection));
        const selector = kernel.selector({ ...(where ? { where } : {}), select });
        const table = selector.project(bytes, skip);
        const texts = decoder.decode(table.bytes).split('\n').slice(0, -1);
        expect(exactText(texts.map((text) => JSON.parse(text)))).toBe(exactText(projected));
        expect(exactText(selector.documents(bytes, skip).documents)).toBe(exactText(projected));
        expect(recordLines(table.records, table.count)).toEqual(expected.map(({ line }) => line));
        expect(recordTexts(table.bytes, table.records, table.count)).toEqual(texts);
        expect(table.dense).toBe(true);
        expect(table.bad).toEqual(kernel.lines(bytes).bad);
      }),
      { numRuns: runs(400) },
    );
  });

  it('fill columns as a plain loop over objects does', () => {
    const types = fc.constantFrom<ColumnType[]>(
      { kind: 'float64' },
      { kind: 'utf8' },
      { kind: 'bool' },
      { kind: 'json' },
      { kind: 'list', element: { kind: 'float64' } },
      { kind: 'list', element: { kind: 'list', element: { kind: 'utf8' } } },
      { kind: 'struct', fields: [{ name: 'a', type: { kind: 'json' } }] },
      {
        kind: 'struct',
        fields: [
          { name: 'b', type: { kind: 'float64' } },
          { name: 'a', type: { kind: 'list', element: { kind: 'utf8' } } },
        ],
      },
    );
    const columns = fc.array(fc.tuple(path, types), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(fc.array(denseChunk, { maxLength: 3 }), columns, (chunks, layout) => {
        const described = layout.map(([at, type]): Column => ({ name: at.join(), type, path: at }));
        const builder = kernel.columns(described);
        const rows: unknown[][] = [];
        for (const bytes of chunks) {
          let { documents } = readChunk(bytes, undefined);
          let rest = bytes;
          let misfit: unknown;
          do {
            const filled = documents.map((document) => naiveRow(layout, document));
            const stop = filled.indexOf(undefined);
            const good = stop < 0 ? filled : filled.slice(0, stop);
            const result = builder.fill(rest);
            expect(result.rows).toBe(good.length);
            expect(result.misfit?.line).toBe(stop < 0 ? undefined : stop);
            rows.push(...(good as unknown[][]));
            misfit = result.misfit;
            // Go on behind the document that did not fit.
            rest = stop < 0 ? rest : rest.subarray(rest.indexOf(0x0a, result.misfit!.start) + 1);
            documents = documents.slice(stop + 1);
          } while (misfit !== undefined);
        }
        expect(builder.rows).toBe(rows.length);
        const taken = builder.take();
        expect(builder.rows).toBe(0);
        const read = taken.map((data, i) => {
          const type = layout[i]![1];
          return readRows(type, data).map((value) => comparable(type, value));
        });
        const expected = layout.map((_, i) => rows.map((row) => row[i]));
        expect(exactText(read)).toBe(exactText(expected));
      }),
      { numRuns: runs(300) },
    );
  });

  it('count fields as a plain loop over objects does', () => {
    fc.assert(
      fc.property(fc.array(documentLines, { maxLength: 2 }), (chunks) => {
        const observer = kernel.observer();
        const documents: Document[] = [];
        for (const lines of chunks) {
          const bytes = encoder.encode(lines.map((line) => `${line}\r\n`).join(''));
          expect(observer.observe(bytes)).toMatchObject({ count: lines.length, bad: [] });
          documents.push(...lines.map((line) => JSON.parse(line) as Document));
        }
        const counted = new Map<string, number>();
        countFields(observer.fields(), counted);
        const expected = new Map<string, number>();
        for (const document of documents) countValues(document, [], expected);
        const entries = (map: Map<string, number>) => [...map].filter(([, n]) => n > 0).sort();
        expect(entries(counted)).toEqual(entries(expected));
      }),
      { numRuns: runs(200) },
    );
  });
});

describe('kernels', () => {
  const [twin, ...others] = kernels;
  const numRuns = others.length > 0 ? runs(400) : 5;

  it('answer queries alike, exact integers included', () => {
    const where = fc.option(predicate, { nil: undefined });
    fc.assert(
      fc.property(chunk, where, fc.option(selected), skips, (bytes, where, select, skipped) => {
        const skip = skipped && Uint8Array.from(skipped);
        const query = { ...(where ? { where } : {}), ...(select ? { select } : {}) };
        const expected = answers(twin!, query, bytes, skip);
        for (const kernel of others) {
          expect(answers(kernel, query, bytes, skip)).toEqual(expected);
        }
      }),
      { numRuns },
    );
  });

  it('answer alike where documents have more paths than are remembered', () => {
    const many = Array.from({ length: 4100 }, (_, i) => `"k${i}":0`);
    const first = `{"_id":"0","a":{"a":0,"b":0},"b":{"a":0,"b":0},${many}}`;
    const unheard = fc.nat({ max: 1e9 }).map((n) => `of ${n}`);
    const { object } = fc.letrec<{ object: string }>((tie) => ({
      object: fc
        .array(
          fc.tuple(
            fc.oneof(fc.constantFrom('a', 'b', '_id'), unheard),
            fc.oneof({ maxDepth: 2 }, fc.constantFrom('0', '1'), tie('object')),
          ),
          { maxLength: 5 },
        )
        .map((members) => `{${members.map(([key, value]) => `"${key}":${value}`)}}`),
    }));
    const paths = fc.constantFrom(['a'], ['b'], ['a', 'b'], ['b', 'a'], ['_id']);
    const where = paths.map((path): Predicate => ({ op: 'eq', path, value: 1 }));
    fc.assert(
      fc.property(fc.array(object, { minLength: 20 }), where, paths, (lines, where, key) => {
        const bytes = encoder.encode([first, ...lines, ''].join('\n'));
        const query = { where, select: [key] };
        const expected = answers(twin!, query, bytes, undefined);
        const { records } = twin!.lines(bytes, { key });
        for (const kernel of others) {
          expect(answers(kernel, query, bytes, undefined)).toEqual(expected);
          expect(kernel.lines(bytes, { key }).records).toEqual(records);
        }
      }),
      { numRuns: runs(40) },
    );
  });

  it('fill and observe alike, misfits included', () => {
    const kinds = ['float64', 'int32', 'int64', 'bool', 'utf8', 'json'] as const;
    const flat: fc.Arbitrary<ColumnType> = fc.oneof(
      fc.constantFrom(...kinds).map((kind) => ({ kind })),
      fc.constantFrom('ms', 'us').map((unit) => ({ kind: 'timestamp', unit }) as ColumnType),
    );
    const nested: fc.Arbitrary<ColumnType> = fc.oneof(
      flat,
      flat.map((element): ColumnType => ({ kind: 'list', element })),
      flat.map((type): ColumnType => ({ kind: 'struct', fields: [{ name: 'a', type }] })),
    );
    const layouts = fc.array(fc.tuple(path, nested), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(fc.array(chunk, { maxLength: 3 }), layouts, skips, (chunks, layout, skipped) => {
        const columns = layout.map(([at, type]): Column => ({ name: at.join(), type, path: at }));
        const skip = skipped && Uint8Array.from(skipped);
        const expected = collect(twin!, columns, chunks, skip);
        for (const kernel of others) {
          expect(collect(kernel, columns, chunks, skip)).toEqual(expected);
        }
      }),
      { numRuns },
    );
  });
});

function readChunk(bytes: Uint8Array, skipped: readonly number[] | undefined) {
  const good = referenceLines(bytes).filter(({ document }) => document !== undefined);
  const documents = good.map(({ document }) => document!);
  const filled = skipped && Uint8Array.from(documents, (_, i) => skipped[i % skipped.length]!);
  return { documents, lines: good.map(({ line }) => line), skip: filled };
}

function recordLines(records: Uint32Array, count: number): number[] {
  return Array.from({ length: count }, (_, i) => records[i * RECORD_WORDS + LineRecord.line]!);
}

function recordTexts(bytes: Uint8Array, records: Uint32Array, count: number): string[] {
  return Array.from({ length: count }, (_, i) =>
    decoder.decode(bytes.subarray(records[i * RECORD_WORDS], records[i * RECORD_WORDS + 1])),
  );
}

/** The row, or undefined where a value does not fit. */
function naiveRow(
  layout: readonly (readonly [readonly string[], ColumnType])[],
  document: Document,
): unknown[] | undefined {
  const row = layout.map(([at, type]) => {
    let value: unknown = document;
    for (const step of at) {
      const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
      value = isObject && Object.hasOwn(value as object, step) ? (value as Document)[step] : null;
    }
    return naiveValue(type, value);
  });
  return row.includes(undefined) ? undefined : row;
}

function naiveValue(type: ColumnType, value: unknown): unknown {
  if (value === null) return null;
  if (type.kind === 'json') return JSON.stringify(value);
  if (type.kind === 'float64') return typeof value === 'number' ? value : undefined;
  if (type.kind === 'bool') return typeof value === 'boolean' ? value : undefined;
  if (type.kind === 'utf8') {
    return typeof value === 'string' ? decoder.decode(encoder.encode(value)) : undefined;
  }
  if (type.kind === 'list') {
    if (!Array.isArray(value)) return undefined;
    const elements = value.map((element) => naiveValue(type.element, element));
    return elements.includes(undefined) ? undefined : elements;
  }
  if (type.kind !== 'struct' || typeof value !== 'object' || Array.isArray(value)) return undefined;
  const fields = type.fields.map((field) => {
    return naiveValue(
      field.type,
      Object.hasOwn(value, field.name) ? (value as Document)[field.name] : null,
    );
  });
  return fields.includes(undefined) ? undefined : fields;
}

/** The values as one text; those of JSON columns by what they say, not by how they are written. */
function comparable(type: ColumnType, value: unknown): unknown {
  if (value === null) return null;
  if (type.kind === 'json') return JSON.stringify(JSON.parse(value as string));
  if (type.kind === 'list') {
    return (value as unknown[]).map((element) => comparable(type.element, element));
  }
  if (type.kind !== 'struct') return value;
  return type.fields.map((field, i) => comparable(field.type, (value as unknown[])[i]));
}

function countFields(
  fields: readonly FieldStats[],
  into: Map<string, number>,
  outerSuffix = '',
): void {
  for (const field of fields) {
    const suffix = field.element ? `${outerSuffix}[]` : '';
    const counts = {
      null: field.nulls,
      boolean: field.booleans,
      number: field.integers + field.floats,
      string: field.strings,
      object: field.objects,
      array: field.arrays,
    };
    for (const [kind, count] of Object.entries(counts)) {
      // Objects in a field and objects in its array lead to the same paths.
      const key = `${JSON.stringify(field.path)}${suffix} ${kind}`;
      into.set(key, (into.get(key) ?? 0) + count);
    }
    countFields(field.children, into, suffix);
  }
}

function countValues(value: unknown, at: readonly string[], into: Map<string, number>): void {
  for (const [name, field] of Object.entries(value as object)) {
    countValue(field, [...at, name], '', into);
  }
}

function countValue(
  value: unknown,
  at: readonly string[],
  suffix: string,
  into: Map<string, number>,
): void {
  const kind = value === null ? 'null' : Array.isArray(value) ? 'array' : typeof value;
  const key = `${JSON.stringify(at)}${suffix} ${kind}`;
  into.set(key, (into.get(key) ?? 0) + 1);
  if (kind === 'object') countValues(value, at, into);
  if (kind === 'array') {
    for (const element of value as unknown[]) countValue(element, at, `${suffix}[]`, into);
  }
}

function answers(
  kernel: Kernel,
  query: Parameters<Kernel['selector']>[0],
  bytes: Uint8Array,
  skip: Uint8Array | undefined,
): unknown {
  const selector = kernel.selector(query);
  const tables = [selector.filter(bytes, skip), selector.project(bytes, skip)];
  const { documents, bad } = selector.documents(bytes, skip);
  return {
    documents: exactText(documents),
    bad,
    tables: tables.map(({ records, bytes: made, ...table }) => ({
      ...table,
      text: decoder.decode(made),
      records: records.subarray(0, table.count * RECORD_WORDS).join(),
    })),
  };
}

function collect(
  kernel: Kernel,
  columns: readonly Column[],
  chunks: readonly Uint8Array[],
  skip: Uint8Array | undefined,
): unknown {
  const builder = kernel.columns(columns);
  const observer = kernel.observer();
  const results = chunks.map((bytes) => [builder.fill(bytes, skip), observer.observe(bytes, skip)]);
  return { results, rows: builder.rows, taken: builder.take(), fields: observer.fields() };
}
