/**
 * Which test lets lines be passed over unread (wasm/skim.ts): the first term of a predicate's
 * outermost `and` that is about one top-level field and false where that field is missing.
 */
import type { Predicate } from '../core/predicate.ts';
import { encodeWtf8 } from './wasm-bytes.ts';

/** What to look for in a line. */
export interface SkimPlan {
  /** `"field"`, quotes included. */
  readonly key: Uint8Array;
  /** The number of the test in wasm/skim.ts. */
  readonly test: number;
  /** An f64, or a string's bytes. */
  readonly constant: Uint8Array | undefined;
}

/** Keeps every line that has the key. */
const PRESENT = 0;
const NUMBER_TESTS = { eq: 1, lt: 2, lte: 3, gt: 4, gte: 5 } as const;
const TEXT_TESTS = { eq: 6, startsWith: 7 } as const;

/** The plan for a predicate; undefined where every line must be read. */
export function planSkim(predicate: Predicate): SkimPlan | undefined {
  if ('terms' in predicate) {
    if (predicate.op === 'or') return undefined;
    for (const term of predicate.terms) {
      const plan = planSkim(term);
      if (plan) return plan;
    }
    return undefined;
  }
  if (predicate.op === 'not' || predicate.path.length !== 1) return undefined;
  const key = plainText(predicate.path[0]!);
  if (key === undefined) return undefined;
  return { key: encodeWtf8(key), ...testOf(predicate) };
}

function testOf(
  predicate: Exclude<Predicate, { op: 'and' | 'or' | 'not' }>,
): Pick<SkimPlan, 'test' | 'constant'> {
  if (!('value' in predicate)) return { test: PRESENT, constant: undefined };
  const { op, value } = predicate;
  if (typeof value === 'number' && op in NUMBER_TESTS) {
    const test = NUMBER_TESTS[op as keyof typeof NUMBER_TESTS];
    return { test, constant: new Uint8Array(new Float64Array([value]).buffer) };
  }
  const text = typeof value === 'string' && op in TEXT_TESTS ? plainText(value) : undefined;
  if (text === undefined) return { test: PRESENT, constant: undefined };
  const constant = encodeWtf8(text.slice(1, -1));
  return { test: TEXT_TESTS[op as keyof typeof TEXT_TESTS], constant };
}

/** The text as JSON writes it without any escape; undefined if it needs one. */
function plainText(text: string): string | undefined {
  const json = JSON.stringify(text);
  return json.includes('\\') ? undefined : json;
}
