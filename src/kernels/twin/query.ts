/**
 * Which documents a query keeps, decided in plain TypeScript on one scanned line at a time.
 */
import type { Document } from '../../core/batch.ts';
import { checkPredicate } from '../../core/predicate.ts';
import { compilePredicate, needsExactIntegers } from '../evaluate.ts';
import type { LinesOptions, LineTable, Query } from '../types.ts';
import { readLines, type Visit } from './lines.ts';
import { Kind, type Scanner } from './scanner.ts';
import { sourceText, stringValue } from './text.ts';

/** A query's limits, and its predicate on the document that stands in the scanner. */
export interface Keeps {
  readonly lines: LinesOptions;
  readonly test: (scanner: Scanner) => boolean;
}

/** Prepares a query for `readKept`. */
export function compileQuery({ where, maxDepth }: Query): Keeps {
  const lines = maxDepth === undefined ? {} : { maxDepth };
  if (where === undefined) return { lines, test: () => true };
  checkPredicate(where);
  const keeps = compilePredicate(where);
  const read = needsExactIntegers(where) ? readExact : readDocument;
  return { lines, test: (scanner) => keeps(read(scanner, 0) as Document) };
}

function readDocument(scanner: Scanner, node: number): unknown {
  return JSON.parse(sourceText(scanner, node));
}

/** Calls `visit` for the documents of a chunk that are neither skipped nor left out by the query. */
export function readKept(
  bytes: Uint8Array,
  skip: Uint8Array | undefined,
  keeps: Keeps,
  visit: Visit,
): LineTable {
  return readLines(bytes, keeps.lines, (scanner, ordinal) => {
    const isSkipped = skip !== undefined && skip[ordinal] !== 0;
    if (!isSkipped && keeps.test(scanner)) visit(scanner, ordinal);
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
