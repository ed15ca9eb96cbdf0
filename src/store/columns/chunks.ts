/** Columns of stretches of data.jsonl: filled from the documents, as bytes of an entry, and back. */
import { type Data, Field, Float64, Schema } from 'apache-arrow';
import { Assembler, type RowGroup } from '../../arrow/assembler.ts';
import {
  type ColumnView,
  findPlainValues,
  findStretches,
  type LoadContext,
  loadColumns,
  type Stretch,
} from '../../arrow/column-view.ts';
import { IpcEncoder } from '../../arrow/ipc.ts';
import { type Body, type BodyLayout, decodeMessage, messageAt } from '../../arrow/ipc-message.ts';
import { toData } from '../../arrow/record-batch.ts';
import type { Plan } from '../../arrow/schema.ts';
import { LineRecord, RECORD_WORDS } from '../../core/batch.ts';
import type { Predicate } from '../../core/predicate.ts';
import type { ColumnData } from '../../kernels/index.ts';
import type { EntryHandle } from '../drive/entry-handle.ts';
import { Scan } from '../scan.ts';
import type { Chunk, CollectionState } from './manifest.ts';
import { allOf } from './unless-damaged.ts';

/** What is read of a chunk at once: as a rule all that stands in front of its columns. */
const HEAD_BYTES = 4096;
/** The last column of a chunk. */
const PLACES = new Field('line starts', new Float64(), false);
const NOTHING = new Uint8Array(0);
const CONTEXT: LoadContext = {
  decompress: () => {
    throw new RangeError('a compressed buffer');
  },
  dictionaries: new Map(),
  maxBytes: 0,
  unionBitmaps: false,
};

/** What to fill, from which documents. */
export interface FillInput {
  readonly state: CollectionState;
  readonly plan: Plan;
  readonly where: Predicate | undefined;
  /** A field without a column is an error. */
  readonly allFields: boolean;
  readonly batchRows?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Rows, where their lines begin, and one past the last line. */
export interface FilledRows extends RowGroup {
  readonly starts: Float64Array;
  readonly end: number;
}

/**
 * The documents in [from, to) as groups of rows, in order. Errors: SCHEMA_CHANGED for one that does not fit
 * the plan, ABORTED.
 */
export async function* fillRange(
  { state, plan, where, allFields, batchRows, signal }: FillInput,
  from: number,
  to: number,
): AsyncGenerator<FilledRows, void, void> {
  const assembler = new Assembler(state.kernel, {
    schema: plan.columns,
    onNewField: allFields ? 'error' : 'ignore',
    ...(batchRows === undefined ? {} : { batchRows }),
  });
  const waiting = new Places();
  for await (const batch of scanState(state, { where, signal }, from, to).batches()) {
    waiting.add(batch.lines(), batch.origin.offset!);
    for (const group of assembler.add(batch)) yield { ...group, ...waiting.take(group.rows) };
  }
  for (const group of assembler.finish()) yield { ...group, ...waiting.take(group.rows) };
}

/** A scan of what the state sees, or of the bytes [from, to) of it. */
export function scanState(
  { kernel, paths, snapshot }: CollectionState,
  options: { readonly where?: Predicate | undefined; readonly signal?: AbortSignal | undefined },
  from = 0,
  to: number = snapshot.end,
): Scan {
  // Whoever holds the state releases it.
  const part = { ...snapshot, from, end: to, parts: undefined, release: () => undefined };
  const snapshots = { snapshot: async () => part, snapshotSync: () => part };
  return new Scan({ kernel, path: paths.data, snapshots: () => snapshots }, options);
}

/** Places of lines that have been given to an assembler and have not come out of it. */
class Places {
  #starts: number[] = [];
  #ends: number[] = [];
  #taken = 0;

  add({ records, count }: { records: Uint32Array; count: number }, base: number): void {
    for (let word = 0; word < count * RECORD_WORDS; word += RECORD_WORDS) {
      this.#starts.push(base + records[word]!);
      this.#ends.push(base + records[word + LineRecord.end]! + 1);
    }
  }

  take(rows: number): { readonly starts: Float64Array; readonly end: number } {
    const until = this.#taken + rows;
    const starts = Float64Array.from(this.#starts.slice(this.#taken, until));
    const end = this.#ends[until - 1]!;
    this.#taken = until;
    if (until === this.#starts.length) {
      this.#starts = [];
      this.#ends = [];
      this.#taken = 0;
    }
    return { starts, end };
  }
}

/** The bytes of a chunk's entry, in parts. */
export function encodeChunk(plan: Plan, { columns, rows, starts }: FilledRows): Uint8Array[] {
  const encoder = new IpcEncoder(new Schema([...plan.schema.fields, PLACES]), 'stream');
  const last: ColumnData = { length: rows, nullCount: 0, values: starts };
  return [...encoder.start(), ...encoder.batch([...columns, last], rows), ...encoder.end()];
}

/**
 * A chunk in its entry. The schema in front is passed over, as the manifest has it, and only the columns
 * asked for are touched or read. What they say of themselves is checked against the bytes there are.
 */
export class DecodedChunk {
  readonly rows: number;
  readonly #fields: readonly Field[];
  readonly #layout: BodyLayout;
  readonly entry: EntryHandle;
  /** Where in the entry the body begins. */
  readonly #at: number;

  /** `fields`: those of all columns. Errors, here and below: what `unlessDamaged` takes. */
  constructor(entry: EntryHandle, fields: readonly Field[]) {
    const payload = payloadOf(entry);
    const { metadata, end } = messageAt(payload, messageAt(payload, 0).end);
    const message = decodeMessage(metadata, {});
    if (message.kind !== 'batch') throw new RangeError('no columns where they should be');
    this.rows = message.layout.rows;
    this.#fields = [...fields, PLACES];
    this.#layout = message.layout;
    this.entry = entry;
    this.#at = end;
  }

  /** The columns of these fields, which are some of the chunk's. */
  async columns(fields: readonly Field[]): Promise<Data[]> {
    const names = new Set(fields.map(({ name }) => name));
    const views = await this.#load((field) => field !== PLACES && names.has(field.name));
    return fields.map(({ name, type }) => toData(type, views.find((view) => view.name === name)!));
  }

  /** Where the line of each row begins. */
  async starts(): Promise<Float64Array> {
    const [places] = await this.#load((field) => field === PLACES);
    return places!.values as Float64Array;
  }

  /** Where in the entry the values of this field lie, as `findPlainValues` tells. */
  plainValues({ name }: Field): Stretch | undefined {
    const count = this.#fields.findIndex((field) => field.name === name) + 1;
    const values = findPlainValues(this.#fields.slice(0, count), this.#layout, CONTEXT);
    return values && [this.#at + values[0], this.#at + values[1]];
  }

  async #load(wants: (field: Field) => boolean): Promise<ColumnView[]> {
    const context = { ...CONTEXT, wants };
    const stretches = findStretches(this.#fields, this.#layout, context);
    const body = await fetchBody(this.entry, this.#at, stretches);
    return loadColumns(this.#fields, this.#layout, body, context);
  }
}

/** All of the entry, its head read at once. */
function payloadOf(entry: EntryHandle): Body {
  const head = entry.part(0, Math.min(entry.size, HEAD_BYTES));
  return {
    length: entry.size,
    subarray: (begin, end) =>
      end <= head.length ? head.subarray(begin, end) : entry.part(begin, end),
  };
}

/** What stands behind `at` in the entry, of which the stretches are read, and nothing else is there. */
async function fetchBody(
  entry: EntryHandle,
  at: number,
  stretches: readonly Stretch[],
): Promise<Body> {
  const pieces = await allOf(
    stretches.map(async ([begin, end]) => ({
      begin,
      end,
      bytes: await entry.fetchPart(at + begin, at + end),
    })),
  );
  return {
    length: entry.size - at,
    subarray(begin, end) {
      if (begin === end) return NOTHING;
      const piece = pieces.find((each) => each.begin <= begin && end <= each.end);
      if (!piece) throw new RangeError('buffers in another order');
      return piece.bytes.subarray(begin - piece.begin, end - piece.begin);
    },
  };
}

/** Tells which lines that were alive at some time still are; the index is looked at once. */
export class Living {
  readonly #offsets: Float64Array;

  constructor({ snapshot: { alive } }: CollectionState) {
    if (!alive) this.#offsets = new Float64Array(0);
    else {
      const { offsets } = alive.index.entries();
      const { retired } = alive;
      this.#offsets = new Float64Array(offsets.length + retired.size);
      this.#offsets.set(offsets);
      this.#offsets.set([...retired], offsets.length);
      if (retired.size > 0) this.#offsets.sort();
    }
  }

  /**
   * The rows of a chunk that are alive, as runs; `hasAll`: it took every document. Errors: RangeError for lines
   * that cannot begin there.
   */
  runs(starts: Float64Array, { from, to }: Pick<Chunk, 'from' | 'to'>, hasAll: boolean): number[] {
    const offsets = this.#offsets;
    const runs: number[] = [];
    let at = this.#find(from);
    const end = this.#find(to);
    let missing = hasAll ? end - at : 0;
    for (let row = 0; row < starts.length; row++) {
      const start = starts[row]!;
      while (at < end && offsets[at]! < start) at++;
      if (at === end || offsets[at] !== start) {
        const isInOrder = start > (starts[row - 1] ?? from - 1) && start < to;
        if (!isInOrder || !Number.isInteger(start)) throw new RangeError('a line elsewhere');
        continue;
      }
      missing--;
      if (runs.at(-1) === row) runs[runs.length - 1] = row + 1;
      else runs.push(row, row + 1);
    }
    if (hasAll && missing !== 0) throw new RangeError('lines without a row');
    return runs;
  }

  /** The first place of an offset that is no less. */
  #find(offset: number): number {
    let low = 0;
    let high = this.#offsets.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#offsets[middle]! < offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
