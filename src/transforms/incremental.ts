/**
 * Only what is new: documents whose value in a field is above the highest of earlier runs.
 *
 * Ties. Documents with just that value may come later than the run that saw the first of them, so the
 * value itself is read again, and documents that were there before are known by a hash of their bytes:
 * none is missed, none comes twice, and one that changed meanwhile comes again.
 *
 * When the mark moves. Input in any order: only when it has been read to its end, since what is not
 * read yet may be lower. Input declared `sorted`: with every commit, and a value lower than the one
 * before is an error. Memory: the hashes of the documents at the highest value.
 */
import { type Batch, LineRecord, RECORD_WORDS } from '../core/batch.ts';
import { checkChoice } from '../core/check-option.ts';
import { fieldAt } from '../core/document.ts';
import { EtlError } from '../core/errors.ts';
import { formatPath, type Path, type PathInput, parsePath } from '../core/path.ts';
import { type OnReject, rejectDocument } from '../core/reject.ts';
import type { Transform } from '../core/stage.ts';
import { compareText, type Selector, sharedKernel } from '../kernels/index.ts';
import { withoutBad } from './reject-document.ts';

type Value = string | number;

export interface IncrementalOptions {
  /** The field: numbers, or strings that order by code point (ISO 8601 times, sortable ids). */
  readonly field: PathInput;
  /** Begin with this value; for the first run. Default: with all. */
  readonly initial?: Value;
  /** The input is in ascending order of the field. Default false. */
  readonly sorted?: boolean;
  /** What to do with documents without a value: 'reject' (default), 'keep' or 'drop' them. */
  readonly missing?: 'reject' | 'keep' | 'drop';
}

/** The highest value, and the hashes of the documents that have it. */
interface Mark {
  readonly max: Value;
  readonly ties: readonly string[];
}

interface State {
  /** Absent in states of earlier versions. */
  readonly field?: string;
  readonly floor?: Mark;
  readonly reached?: Mark;
}

const MOST_TIES = 100_000;

/**
 * Keeps what earlier runs of the same name have not let through; for `run`, which keeps the mark with a
 * sink that commits cursors; into any other, each run begins with all. Put it first, so that it sees the
 * documents as the source gives them.
 * Errors: INVALID_DOCUMENT naming a document without a usable value, also for integers that JavaScript
 * does not tell apart; NOT_SORTED; CURSOR_MISMATCH; INVALID_ARGUMENT for an `initial` that is not usable, and
 * for more than 100,000 documents at the highest value.
 */
export function incrementalTransform(options: IncrementalOptions): Transform {
  return new Incremental(options);
}

class Incremental implements Transform {
  readonly name = 'incremental';
  readonly #path: Path;
  readonly #field: string;
  readonly #options: IncrementalOptions;
  readonly #selector: Selector;
  #floor: Mark | undefined;
  #known: ReadonlySet<string> = new Set();
  #max: Value | undefined;
  #ties = new Set<string>();
  /** The value before, where order is promised. */
  #last: Value | undefined;

  constructor(options: IncrementalOptions) {
    const { missing = 'reject', initial } = options;
    checkChoice('missing', missing, ['reject', 'keep', 'drop']);
    if (initial !== undefined && !isUsable(initial)) {
      const text = `initial must be a string, or a number that can be compared, not ${initial}`;
      throw new EtlError('INVALID_ARGUMENT', text);
    }
    this.#path = parsePath(options.field);
    this.#field = formatPath(this.#path);
    this.#options = options;
    this.#selector = sharedKernel().selector({ select: [this.#path] });
    this.restore(undefined);
  }

  save(): State {
    const reached = this.#reached();
    const floor = this.#options.sorted ? (reached ?? this.#floor) : this.#floor;
    if (!floor && !reached) return {};
    return { field: this.#field, ...(floor ? { floor } : {}), ...(reached ? { reached } : {}) };
  }

  restore(state: unknown): void {
    const { initial } = this.#options;
    const first = initial === undefined ? undefined : { max: initial, ties: [] };
    const { field = this.#field, floor = first, reached } = (state ?? {}) as State;
    for (const mark of [floor, reached]) {
      if (mark && !Array.isArray(mark.ties)) {
        throw new EtlError('CURSOR_MISMATCH', 'the state is none of an incremental transform');
      }
    }
    if (field !== this.#field) {
      const text = `incremental: the mark is one of ${field}, not of ${this.#field}; reset it`;
      throw new EtlError('CURSOR_MISMATCH', text);
    }
    this.#setFloor(floor);
    this.#max = reached?.max;
    this.#ties = new Set(reached?.ties);
    this.#last = undefined;
  }

  apply(batch: Batch, signal: AbortSignal, onReject?: OnReject): Batch[] {
    const { bytes, records } = batch.denseLines();
    const { documents, bad } = this.#selector.documents(bytes);
    if (bad.length > 0) return this.apply(withoutBad(batch, bad, onReject), signal, onReject);
    const kept: number[] = [];
    let tied: number[] = [];
    const hash = (i: number): string => {
      const start = records[i * RECORD_WORDS]!;
      const end = records[i * RECORD_WORDS + LineRecord.end]!;
      return sharedKernel().hash(bytes.subarray(start, end)).toString(36);
    };
    for (const [i, document] of documents.entries()) {
      const value = this.#valueOf(document, batch, i, onReject);
      if (value === null) {
        if (this.#options.missing === 'keep') kept.push(i);
        continue;
      }
      if (value === undefined) continue;
      this.#checkOrder(value, batch, i);
      const above = this.#floor === undefined ? 1 : compare(value, this.#floor.max);
      if (above < 0 || (above === 0 && this.#known.has(hash(i)))) continue;
      kept.push(i);
      const order = this.#max === undefined ? 1 : compare(value, this.#max);
      if (order > 0) {
        this.#max = value;
        this.#ties.clear();
        tied = [];
      }
      if (order >= 0) tied.push(i);
    }
    for (const i of tied) this.#ties.add(hash(i));
    if (this.#ties.size > MOST_TIES) {
      const text = `more than ${MOST_TIES} documents have the highest ${this.#field}, ${this.#max}`;
      throw new EtlError('INVALID_ARGUMENT', `${text}: take a field that tells more apart`);
    }
    return kept.length === batch.length ? [batch] : [batch.pick(kept)];
  }

  /** The end of the input: everything up to the highest value has been seen. */
  flush(): Batch[] {
    const reached = this.#reached();
    if (reached) this.#setFloor(reached);
    return [];
  }

  #reached(): Mark | undefined {
    return this.#max === undefined ? undefined : { max: this.#max, ties: [...this.#ties] };
  }

  /** Null for none, undefined for one that was refused. */
  #valueOf(
    document: object,
    batch: Batch,
    i: number,
    onReject: OnReject | undefined,
  ): Value | null | undefined {
    const at = fieldAt(document, this.#path);
    const before = this.#max ?? this.#floor?.max;
    const isLikeBefore = before === undefined || typeof at === typeof before;
    const usable = isUsable(at);
    if (usable && isLikeBefore) return at;
    const { missing = 'reject' } = this.#options;
    const none = at === undefined || at === null;
    if (none && missing !== 'reject') return null;
    let fault = 'is no string, nor a number that can be compared';
    if (none) fault = 'is missing';
    else if (usable) fault = `is a ${typeof at} here and a ${typeof before} before`;
    rejectDocument(
      batch,
      i,
      { code: 'INVALID_DOCUMENT', reason: `${this.#field} ${fault}` },
      onReject,
    );
    return undefined;
  }

  /** Errors: NOT_SORTED. */
  #checkOrder(value: Value, batch: Batch, i: number): void {
    if (!this.#options.sorted) return;
    if (this.#last !== undefined && compare(value, this.#last) < 0) {
      const text = `${this.#field} ${value} comes after ${this.#last}`;
      throw new EtlError('NOT_SORTED', text, { place: batch.place(i) });
    }
    this.#last = value;
  }

  #setFloor(mark: Mark | undefined): void {
    this.#floor = mark;
    this.#known = new Set(mark?.ties);
  }
}

/** Strings, and numbers that are themselves in JavaScript and in a saved mark. */
function isUsable(value: unknown): value is Value {
  if (typeof value !== 'number') return typeof value === 'string';
  return Number.isInteger(value) ? Number.isSafeInteger(value) : Number.isFinite(value);
}

/** Of values of one type. */
function compare(a: Value, b: Value): number {
  return typeof a === 'number' ? a - (b as number) : compareText(a, b as string);
}
