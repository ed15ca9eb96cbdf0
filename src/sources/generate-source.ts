/** Documents out of nothing, the same for the same seed: for tests, demos and trying things out. */
import { Batch, type Document } from '../core/batch.ts';
import { checkCount } from '../core/check-option.ts';
import { EtlError } from '../core/errors.ts';
import { refusePromise } from '../core/is-promise.ts';
import type { Source } from '../core/stage.ts';
import { sharedKernel } from '../kernels/index.ts';
import { SourceStream } from '../streams/source-stream.ts';

/** Chance that depends on the seed and the document's ordinal alone. */
export interface Chance {
  /** From 0 to below 1. */
  number(): number;
  /** From `low` to `high`, both included. */
  integer(low: number, high: number): number;
  /** One of them. */
  pick<T>(choices: readonly T[]): T;
  /** Lower-case letters. */
  word(length: number): string;
}

/** What a field holds: a kind, choices to take from, or a function. */
export type FieldShape =
  | 'id'
  | 'ordinal'
  | 'integer'
  | 'float'
  | 'boolean'
  | 'word'
  | 'text'
  | 'timestamp'
  | readonly unknown[]
  | ((chance: Chance, ordinal: number) => unknown);

export interface GenerateOptions<T extends object> {
  /** How many. */
  readonly documents: number;
  /** Default 1. */
  readonly seed?: number;
  /** Fields and what they hold. Default an `_id`, a number, a word and a timestamp. */
  readonly shape?: Readonly<Record<string, FieldShape>>;
  /** Makes a document; instead of `shape`. */
  readonly make?: (ordinal: number, chance: Chance) => T;
  /** Documents in a batch. Default 1,000. */
  readonly batchDocuments?: number;
  /** Stops the reading with ABORTED. */
  readonly signal?: AbortSignal;
}

/**
 * Documents that depend on the seed and their ordinal alone, so that reading goes on anywhere.
 * Errors: INVALID_ARGUMENT, CURSOR_MISMATCH, ABORTED, and what `make` throws, unchanged.
 */
export function generateSource<T extends object = Document>(
  options: GenerateOptions<T>,
): SourceStream<T> {
  const { signal, ...rest } = options;
  return new SourceStream<T>(createGenerateSource(rest), signal ? { signal } : {});
}

/** The same without the stream around it. */
export function createGenerateSource<T extends object = Document>(
  options: Omit<GenerateOptions<T>, 'signal'>,
): Source {
  const { documents, seed = 1, shape = DEFAULT_SHAPE, batchDocuments = 1000 } = options;
  checkCount('documents', documents, 0);
  checkCount('batchDocuments', batchDocuments);
  const make = options.make ?? ((ordinal, chance) => makeDocument(shape, ordinal, chance));
  return {
    name: 'generateSource',
    batches: (signal, _wants, from) => generate(parseCursor(from, seed), signal),
  };

  async function* generate(from: number, signal: AbortSignal): AsyncGenerator<Batch, void, void> {
    const { codec } = sharedKernel();
    for (let first = from; first < documents; ) {
      signal.throwIfAborted();
      const next = Math.min(first + batchDocuments, documents);
      const made: Document[] = [];
      for (let n = first; n < next; n++) made.push(make(n, createChance(seed, n)) as Document);
      refusePromise('generateSource: make', made[0]);
      yield Batch.fromDocuments(made, codec, { ordinal: first }, { seed, ordinal: next });
      first = next;
    }
  }
}

const DEFAULT_SHAPE: Readonly<Record<string, FieldShape>> = {
  _id: 'id',
  n: 'integer',
  word: 'word',
  at: 'timestamp',
};

function makeDocument(
  shape: Readonly<Record<string, FieldShape>>,
  ordinal: number,
  chance: Chance,
): Document {
  const document: Document = {};
  for (const [name, kind] of Object.entries(shape)) document[name] = value(kind, ordinal, chance);
  return document;
}

function value(kind: FieldShape, ordinal: number, chance: Chance): unknown {
  if (typeof kind === 'function') return kind(chance, ordinal);
  if (typeof kind === 'object') return chance.pick(kind);
  switch (kind) {
    case 'id':
      return `d${String(ordinal).padStart(9, '0')}`;
    case 'ordinal':
      return ordinal;
    case 'integer':
      return chance.integer(0, 999_999);
    case 'float':
      return chance.integer(0, 99_999_999) / 1000;
    case 'boolean':
      return chance.number() < 0.5;
    case 'word':
      return chance.word(chance.integer(3, 10));
    case 'text':
      return Array.from({ length: chance.integer(4, 16) }, () => chance.word(5)).join(' ');
    case 'timestamp':
      return new Date(1_700_000_000_000 + ordinal * 1000 + chance.integer(0, 999)).toISOString();
    default:
      throw new EtlError('INVALID_ARGUMENT', `a field cannot hold ${String(kind)}`);
  }
}

/** A counter mixed by the finaliser of MurmurHash3 (public domain, A. Appleby). */
function createChance(seed: number, ordinal: number): Chance {
  let state = mix(mix(seed >>> 0) ^ (ordinal >>> 0)) ^ mix(Math.floor(ordinal / 2 ** 32));
  const number = (): number => {
    state = (state + 0x9e37_79b9) >>> 0;
    return mix(state) / 2 ** 32;
  };
  const integer = (low: number, high: number): number => {
    return low + Math.floor(number() * (high - low + 1));
  };
  const pick = <T>(choices: readonly T[]): T => choices[integer(0, choices.length - 1)]!;
  const word = (length: number): string => {
    let letters = '';
    for (let i = 0; i < length; i++) letters += String.fromCharCode(97 + integer(0, 25));
    return letters;
  };
  return { number, integer, pick, word };
}

function mix(value: number): number {
  let h = value >>> 0;
  h = Math.imul(h ^ (h >>> 16), 0x85eb_ca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2_ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/** Errors: CURSOR_MISMATCH, for another seed too. */
function parseCursor(from: unknown, seed: number): number {
  if (from === undefined || from === null) return 0;
  const cursor = from as { seed?: unknown; ordinal?: unknown };
  if (Number.isSafeInteger(cursor.ordinal) && cursor.seed === seed) return cursor.ordinal as number;
  throw new EtlError('CURSOR_MISMATCH', 'the cursor is not one of this source and seed');
}
