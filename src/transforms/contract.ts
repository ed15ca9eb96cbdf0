/**
 * Schema contracts: what may be new in the data. Fields are known by their dotted path, with the types
 * seen there; null fits everywhere, an integer where numbers are, and elements of arrays are not looked
 * at. A kernel counts the fields of each batch as bytes; objects are made of a batch only when it has
 * something new that the contract does not let evolve.
 *
 * | mode | a new field (`columns`), a new type in a field (`dataType`) |
 * |---|---|
 * | evolve | is known from now on |
 * | freeze | the document is refused: CONTRACT_BROKEN |
 * | discard_value | the document goes on without it, its other bytes as they were |
 * | discard_row | the document is left out |
 *
 * `collection` says the same of a collection of which nothing is known yet; where that may evolve, `columns` does
 * not count in its first batch. Types count from the first document on, however the documents are batched.
 */
import { type Batch, type Document, isDocument, LineRecord, RECORD_WORDS } from '../core/batch.ts';
import { checkChoice } from '../core/check-option.ts';
import { EtlError, type Place } from '../core/errors.ts';
import { formatPath, type Path } from '../core/path.ts';
import { type OnReject, rejectDocument } from '../core/reject.ts';
import type { Transform } from '../core/stage.ts';
import { type FieldStats, type Selector, sharedKernel } from '../kernels/index.ts';
import { withoutBad } from './reject-document.ts';

export type ContractMode = 'evolve' | 'freeze' | 'discard_value' | 'discard_row';
export type ContractType = 'boolean' | 'integer' | 'number' | 'string' | 'object' | 'array';

export interface ContractOptions {
  /** Default 'evolve'; 'discard_value' is 'discard_row' here. */
  readonly collection?: ContractMode;
  /** Default 'evolve'. */
  readonly columns?: ContractMode;
  /** Default 'evolve'. */
  readonly dataType?: ContractMode;
  /** Known from the start: types by dotted path. Default: what earlier runs of the name learned. */
  readonly schema?: Readonly<Record<string, ContractType | readonly ContractType[]>>;
  /** Told of everything left out: a field, or (path undefined) a whole document. */
  readonly onDiscard?: (place: Place, path: string | undefined) => void;
}

interface Finding {
  readonly path: Path;
  readonly mode: ContractMode;
  readonly what: string;
}

const TYPES: readonly string[] = ['boolean', 'integer', 'number', 'string', 'object', 'array'];
const MODES: readonly string[] = ['evolve', 'freeze', 'discard_value', 'discard_row'];
/** Objects with data for keys would make every document's keys known. */
const MOST_FIELDS = 10_000;

/**
 * Holds documents against what is known of their fields; in a `run` that is kept from run to run.
 * Errors: CONTRACT_BROKEN; INVALID_ARGUMENT for a mode that is none, or more than 10,000 fields.
 */
export function contractTransform(options: ContractOptions = {}): Transform {
  return new Contract(options);
}

class Contract implements Transform {
  readonly name = 'contract';
  readonly #options: ContractOptions;
  readonly #modes: Readonly<Record<'collection' | 'columns' | 'dataType', ContractMode>>;
  readonly #known = new Map<string, Set<ContractType>>();

  constructor(options: ContractOptions) {
    const { collection = 'evolve', columns = 'evolve', dataType = 'evolve', schema } = options;
    this.#modes = { collection, columns, dataType };
    for (const [name, mode] of Object.entries(this.#modes)) {
      checkChoice(name, mode, MODES);
    }
    for (const [path, types] of Object.entries(schema ?? {})) {
      for (const type of [types].flat()) checkChoice(`schema.${path}`, type, TYPES);
    }
    this.#options = options;
    this.#learnSchema(schema ?? {});
  }

  save(): Record<string, ContractType[]> {
    return Object.fromEntries([...this.#known].map(([path, types]) => [path, [...types]]));
  }

  restore(state: unknown): void {
    this.#known.clear();
    this.#learnSchema(this.#options.schema ?? {});
    this.#learnSchema((state ?? {}) as Record<string, ContractType[]>);
  }

  apply(batch: Batch, signal: AbortSignal, onReject?: OnReject): Batch[] {
    if (batch.length === 0) return [batch];
    const { columns, dataType, collection } = this.#modes;
    if (this.#known.size === 0 && collection !== 'evolve') return this.#refuseAll(batch, onReject);
    const observer = sharedKernel().observer();
    const { bad } = observer.observe(batch.bytes());
    if (bad.length > 0) return this.apply(withoutBad(batch, bad, onReject), signal, onReject);
    const fresh = this.#findNew(observer.fields());
    // The first documents are what the collection is made of.
    const newColumns = this.#known.size === 0 ? 'evolve' : columns;
    const fits = fresh.every(({ isColumn, types }) => {
      if (isColumn && newColumns !== 'evolve') return false;
      // Of several types it depends on the order which is the new one.
      return dataType === 'evolve' || (isColumn && types.length < 2);
    });
    if (!fits) return this.#sift(batch, newColumns, onReject);
    for (const { key, types } of fresh) this.#learn(key, types);
    return [batch];
  }

  /** Fields or types that are not known. */
  #findNew(fields: readonly FieldStats[]) {
    const fresh: { key: string; types: ContractType[]; isColumn: boolean }[] = [];
    const visit = (field: FieldStats): void => {
      if (field.element) return;
      const key = formatPath(field.path);
      const known = this.#known.get(key);
      const types = typesOf(field).filter((type) => !known || !allows(known, type));
      if (!known || types.length > 0) fresh.push({ key, types, isColumn: !known });
      field.children.forEach(visit);
    };
    fields.forEach(visit);
    return fresh;
  }

  #refuseAll(batch: Batch, onReject: OnReject | undefined): Batch[] {
    for (let i = 0; i < batch.length; i++) {
      if (this.#modes.collection === 'freeze') {
        const reason = 'nothing is known of this collection, and it is frozen';
        rejectDocument(batch, i, { code: 'CONTRACT_BROKEN', reason }, onReject);
      } else this.#options.onDiscard?.(batch.place(i), undefined);
    }
    return [];
  }

  /** Document by document. */
  #sift(batch: Batch, columns: ContractMode, onReject: OnReject | undefined): Batch[] {
    const kept: number[] = [];
    const edits = new Map<number, readonly Path[]>();
    for (const [i, document] of batch.documents().entries()) {
      const findings = this.#examine(document, [], columns);
      const frozen = findings.find(({ mode }) => mode === 'freeze');
      if (frozen) {
        rejectDocument(batch, i, { code: 'CONTRACT_BROKEN', reason: frozen.what }, onReject);
        continue;
      }
      if (findings.some(({ mode }) => mode === 'discard_row')) {
        this.#options.onDiscard?.(batch.place(i), undefined);
        continue;
      }
      const gone = findings.filter(({ mode }) => mode === 'discard_value').map(({ path }) => path);
      for (const path of gone) this.#options.onDiscard?.(batch.place(i), formatPath(path));
      const left = keptPaths(document, [], new Set(gone.map((path) => formatPath(path))));
      if (gone.length > 0) edits.set(i, left);
      this.#learnDocument(document, [], new Set(gone.map((path) => formatPath(path))));
      kept.push(i);
    }
    if (edits.size === 0) return [batch.pick(kept)];
    return [cutFields(batch, kept, edits)];
  }

  #examine(value: Document, path: Path, columns: ContractMode): Finding[] {
    const { dataType } = this.#modes;
    const findings: Finding[] = [];
    for (const [field, child] of Object.entries(value)) {
      const at = [...path, field];
      const known = this.#known.get(formatPath(at));
      const type = typeOf(child);
      if (!known) {
        if (columns !== 'evolve') {
          findings.push({ path: at, mode: columns, what: `${formatPath(at)} is a new field` });
          continue;
        }
      } else if (type && known.size > 0 && !allows(known, type) && dataType !== 'evolve') {
        const what = `${formatPath(at)} is of type ${type}, not ${[...known].join(' or ')}`;
        findings.push({ path: at, mode: dataType, what });
        continue;
      }
      if (isDocument(child)) findings.push(...this.#examine(child, at, columns));
    }
    return findings;
  }

  #learnDocument(value: Document, path: Path, gone: ReadonlySet<string>): void {
    for (const [field, child] of Object.entries(value)) {
      const at = [...path, field];
      const key = formatPath(at);
      if (gone.has(key)) continue;
      const type = typeOf(child);
      this.#learn(key, type ? [type] : []);
      if (isDocument(child)) this.#learnDocument(child, at, gone);
    }
  }

  #learnSchema(schema: NonNullable<ContractOptions['schema']>): void {
    for (const [path, types] of Object.entries(schema)) {
      this.#learn(path, typeof types === 'string' ? [types] : types);
    }
  }

  #learn(key: string, types: readonly ContractType[]): void {
    let known = this.#known.get(key);
    if (!known) {
      known = new Set();
      this.#known.set(key, known);
      if (this.#known.size > MOST_FIELDS) {
        throw new EtlError('INVALID_ARGUMENT', `more than ${MOST_FIELDS} fields for a contract`);
      }
    }
    for (const type of types) if (!allows(known, type)) known.add(type);
  }
}

/** The documents that are kept, those with edits projected to the paths left. */
function cutFields(
  batch: Batch,
  kept: readonly number[],
  edits: ReadonlyMap<number, readonly Path[]>,
): Batch {
  const { bytes, records } = batch.denseLines();
  const selectors = new Map<string, Selector>();
  const pieces = kept.map((i) => {
    const start = records[i * RECORD_WORDS]!;
    const line = bytes.subarray(start, records[i * RECORD_WORDS + LineRecord.end]! + 1);
    const select = edits.get(i);
    if (!select) return line;
    if (select.length === 0) return new TextEncoder().encode('{}\n');
    const key = JSON.stringify(select);
    const selector = selectors.get(key) ?? sharedKernel().selector({ select });
    selectors.set(key, selector);
    return selector.project(line).bytes;
  });
  const out = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    out.set(piece, at);
    at += piece.length;
  }
  const table = sharedKernel().lines(out);
  for (const [n, i] of kept.entries()) table.records[n * RECORD_WORDS + LineRecord.line] = i;
  return batch.deriveLines(table);
}

/** The outermost paths that have nothing of `gone` in them. */
function keptPaths(value: Document, path: Path, gone: ReadonlySet<string>): Path[] {
  return Object.entries(value).flatMap(([field, child]) => {
    const at = [...path, field];
    const key = formatPath(at);
    if (gone.has(key)) return [];
    const inside = [...gone].some((each) => each.startsWith(`${key}.`));
    return inside && isDocument(child) ? keptPaths(child, at, gone) : [at];
  });
}

function typesOf(field: FieldStats): ContractType[] {
  const counts: readonly (readonly [ContractType, number])[] = [
    ['boolean', field.booleans],
    ['number', field.floats],
    ['integer', field.integers],
    ['string', field.strings],
    ['object', field.objects],
    ['array', field.arrays],
  ];
  return counts.filter(([, count]) => count > 0).map(([type]) => type);
}

/** Undefined for null, which fits everywhere. */
function typeOf(value: unknown): ContractType | undefined {
  if (value === null) return undefined;
  if (Array.isArray(value)) return 'array';
  if (typeof value === 'number') return Number.isInteger(value) ? 'integer' : 'number';
  return typeof value as 'boolean' | 'string' | 'object';
}

function allows(known: ReadonlySet<ContractType>, type: ContractType): boolean {
  return known.has(type) || (type === 'integer' && known.has('number'));
}
