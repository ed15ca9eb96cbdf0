/** Batches from text, and documents back from Arrow. */
import { type DataType, type Table, DataType as Type, type Vector } from 'apache-arrow';
import { Batch, type Document, type Origin } from '../../../src/core/batch.ts';
import type { Kernel } from '../../../src/kernels/types.ts';

/** One batch over JSONL text. */
export function toBatch(kernel: Kernel, text: string, origin: Origin = {}): Batch {
  const lines = kernel.lines(new TextEncoder().encode(text));
  return Batch.fromLines(lines, kernel.codec, origin);
}

/** Batches of `size` documents. */
export function* toBatches(
  kernel: Kernel,
  documents: readonly Document[],
  size: number,
): Generator<Batch> {
  for (let i = 0; i < documents.length; i += size) {
    const text = documents
      .slice(i, i + size)
      .map((document) => `${JSON.stringify(document)}\n`)
      .join('');
    yield toBatch(kernel, text, { source: 'test.jsonl', ordinal: i, line: i });
  }
}

/** Without nulls, however deep in objects: Arrow does not tell a null from a missing field. */
export function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (value === null || typeof value !== 'object') return value;
  const kept = Object.entries(value).filter(([, inner]) => inner !== null);
  return Object.fromEntries(kept.map(([name, inner]) => [name, withoutNulls(inner)]));
}

/** The documents in a table as JSON.parse would give them, without nulls; integers as numbers. */
export function readDocuments(table: Table): unknown[] {
  const columns = table.schema.fields.map((field, i) => {
    const vector = table.getChildAt(i) as Vector;
    const isJson = isJsonField(field);
    return Array.from(vector, (value) => fromArrow(value, field.type, isJson));
  });
  return Array.from({ length: table.numRows }, (_, row) => {
    const entries = table.schema.fields.map((field, i) => [field.name, columns[i]![row]]);
    return Object.fromEntries(entries.filter(([, value]) => value !== null));
  });
}

type FieldLike = { readonly metadata: Map<string, string> };

function isJsonField(field: FieldLike): boolean {
  return field.metadata.get('ARROW:extension:name') === 'arrow.json';
}

function fromArrow(value: unknown, type: DataType, isJson: boolean): unknown {
  if (value === null || value === undefined) return null;
  if (isJson) return withoutNulls(JSON.parse(value as string));
  if (typeof value === 'bigint') return Number(value);
  if (Type.isList(type)) {
    const child = type.children[0]!;
    return Array.from(value as Iterable<unknown>, (each) =>
      fromArrow(each, child.type, isJsonField(child)),
    );
  }
  if (Type.isStruct(type)) {
    const entries = type.children.map((child) => {
      const inner = (value as Record<string, unknown>)[child.name];
      return [child.name, fromArrow(inner, child.type, isJsonField(child))];
    });
    return Object.fromEntries(entries.filter(([, inner]) => inner !== null));
  }
  return value;
}
