/**
 * Queries in plain TypeScript: documents are parsed and tested by `evaluate`, and projected either
 * as objects or by copying the bytes of the kept values from the tape.
 *
 * Results are fresh memory, except that `filter` answers over the bytes it was given.
 */
import { type Document, LineRecord, RECORD_WORDS } from '../../core/batch.ts';
import { compilePredicate, needsExactIntegers } from '../evaluate.ts';
import { buildSelection, projectDocument, type Selection } from '../selection.ts';
import type { LineTable, Query, Selector } from '../types.ts';
import { readLines, type Visit } from './lines.ts';
import { Kind, type Scanner } from './scanner.ts';
import { type FieldName, fieldName, findMember, sourceText, stringValue } from './text.ts';

const encoder = new TextEncoder();

/** As `Kernel.selector`. */
export function createTwinSelector(query: Query): Selector {
  const keeps = compileQuery(query);
  const selection = query.select && buildSelection(query.select);
  const plan = selection && planFields(selection);
  return {
    filter: (bytes, skip) => {
      const kept: number[] = [];
      const table = readKept(bytes, skip, keeps, (_, ordinal) => kept.push(ordinal));
      return keepLines(table, kept);
    },
    project: (bytes, skip) => projectLines(bytes, skip, keeps, plan),
    documents: (bytes, skip) => {
      const documents: Document[] = [];
      const { bad } = readKept(bytes, skip, keeps, (scanner) => {
        const document = JSON.parse(sourceText(scanner, 0)) as Document;
        documents.push(selection ? projectDocument(document, selection) : document);
      });
      return { documents, bad };
    },
  };
}

/** The query's predicate on the document that stands in the scanner. */
export function compileQuery(query: Query): (scanner: Scanner) => boolean {
  const { where } = query;
  if (where === undefined) return () => true;
  const keeps = compilePredicate(where);
  if (needsExactIntegers(where)) return (scanner) => keeps(readExact(scanner, 0) as Document);
  return (scanner) => keeps(JSON.parse(sourceText(scanner, 0)) as Document);
}

/** Calls `visit` for the documents of a chunk that are neither skipped nor left out by the query. */
export function readKept(
  bytes: Uint8Array,
  skip: Uint8Array | undefined,
  keeps: (scanner: Scanner) => boolean,
  visit: Visit,
): LineTable {
  return readLines(bytes, {}, (scanner, ordinal) => {
    const isSkipped = skip !== undefined && skip[ordinal] !== 0;
    if (!isSkipped && keeps(scanner)) visit(scanner, ordinal);
  });
}

/** As `JSON.parse`, but integers that a number cannot hold exactly become `bigint`. */
function readExact(scanner: Scanner, node: number): unknown {
  switch (scanner.kind[node]) {
    case Kind.integer: {
      const text = sourceText(scanner, node);
      const value = Number(text);
      return Number.isSafeInteger(value) ? value : BigInt(text);
    }
    case Kind.array: {
      const elements: unknown[] = [];
      const end = scanner.next[node]!;
      for (let at = node + 1; at < end; at = scanner.next[at]!)
        elements.push(readExact(scanner, at));
      return elements;
    }
    case Kind.object: {
      const fields: [string, unknown][] = [];
      const end = scanner.next[node]!;
      for (let key = node + 1; key < end; key = scanner.next[key + 1]!) {
        fields.push([stringValue(scanner, key), readExact(scanner, key + 1)]);
      }
      return Object.fromEntries(fields);
    }
    default:
      return JSON.parse(sourceText(scanner, node));
  }
}

/** The table cut down to the documents of these ordinals. */
function keepLines(table: LineTable, kept: readonly number[]): LineTable {
  if (kept.length === table.count) return table;
  const records = new Uint32Array(kept.length * RECORD_WORDS);
  for (const [i, ordinal] of kept.entries()) {
    const from = ordinal * RECORD_WORDS;
    records.set(table.records.subarray(from, from + RECORD_WORDS), i * RECORD_WORDS);
  }
  return { ...table, records, count: kept.length, dense: false, canonical: false };
}

/** A field to copy: its name for finding, what is written before its value, and what to keep of it. */
interface FieldPlan {
  readonly name: FieldName;
  readonly label: Uint8Array;
  readonly inner: readonly FieldPlan[] | 'all';
}

function planFields(selection: Selection): readonly FieldPlan[] {
  return Array.from(selection, ([field, inner]) => ({
    name: fieldName(field),
    label: encoder.encode(`${JSON.stringify(field)}:`),
    inner: inner === 'all' ? inner : planFields(inner),
  }));
}

/** Output bytes; a projected document is never longer than its source, so the size is known. */
interface Output {
  readonly bytes: Uint8Array;
  at: number;
}

function projectLines(
  bytes: Uint8Array,
  skip: Uint8Array | undefined,
  keeps: (scanner: Scanner) => boolean,
  plan: readonly FieldPlan[] | undefined,
): LineTable {
  const output: Output = { bytes: new Uint8Array(bytes.length + 1), at: 0 };
  const places: number[] = [];
  const kept: number[] = [];
  const { bad, lineCount, records } = readKept(bytes, skip, keeps, (scanner, ordinal) => {
    const start = output.at;
    if (plan === undefined) writeWhole(scanner, 0, output);
    else writeObject(scanner, 0, plan, output);
    places.push(start, output.at);
    kept.push(ordinal);
    output.bytes[output.at++] = 0x0a;
  });
  const count = kept.length;
  const out = new Uint32Array(count * RECORD_WORDS);
  for (const [i, ordinal] of kept.entries()) {
    out[i * RECORD_WORDS + LineRecord.start] = places[2 * i]!;
    out[i * RECORD_WORDS + LineRecord.end] = places[2 * i + 1]!;
    out[i * RECORD_WORDS + LineRecord.line] = records[ordinal * RECORD_WORDS + LineRecord.line]!;
  }
  const made = output.bytes.slice(0, output.at);
  return { bytes: made, records: out, count, dense: true, bad, lineCount, canonical: false };
}

function writeWhole(scanner: Scanner, node: number, output: Output): void {
  const part = scanner.bytes.subarray(scanner.start[node]!, scanner.end[node]!);
  output.bytes.set(part, output.at);
  output.at += part.length;
}

function writeObject(
  scanner: Scanner,
  node: number,
  plan: readonly FieldPlan[],
  output: Output,
): void {
  output.bytes[output.at++] = 0x7b;
  const first = output.at;
  for (const { name, label, inner } of plan) {
    const value = findMember(scanner, node, name);
    if (value < 0 || (inner !== 'all' && !isContainer(scanner, value))) continue;
    if (output.at > first) output.bytes[output.at++] = 0x2c;
    output.bytes.set(label, output.at);
    output.at += label.length;
    if (inner === 'all') writeWhole(scanner, value, output);
    else if (scanner.kind[value] === Kind.object) writeObject(scanner, value, inner, output);
    else writeElements(scanner, value, inner, output);
  }
  output.bytes[output.at++] = 0x7d;
}

function writeElements(
  scanner: Scanner,
  array: number,
  plan: readonly FieldPlan[],
  output: Output,
): void {
  output.bytes[output.at++] = 0x5b;
  const first = output.at;
  const end = scanner.next[array]!;
  for (let element = array + 1; element < end; element = scanner.next[element]!) {
    if (scanner.kind[element] !== Kind.object) continue;
    if (output.at > first) output.bytes[output.at++] = 0x2c;
    writeObject(scanner, element, plan, output);
  }
  output.bytes[output.at++] = 0x5d;
}

function isContainer(scanner: Scanner, node: number): boolean {
  return scanner.kind[node]! >= Kind.array;
}
