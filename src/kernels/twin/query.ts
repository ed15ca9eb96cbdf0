/**
 * Which documents a query keeps, decided in plain TypeScript on one scanned line at a time.
 */
import type { Document } from '../../core/batch.ts';
import { compilePredicate, needsExactIntegers } from '../evaluate.ts';
import type { LineTable, Query } from '../types.ts';
import { readLines, type Visit } from './lines.ts';
import { Kind, type Scanner } from './scanner.ts';
import { sourceText, stringValue } from './text.ts';

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
