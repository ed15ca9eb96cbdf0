/**
 * Schema contracts: what may be new in the data. Fields are known by their dotted path, with the types
 * seen there; null fits everywhere, an integer where numbers are, and elements of arrays are not looked
 * at. A kernel counts the fields of each batch; only of a batch with something new that the contract does
 * not let evolve are the lines walked one by one, for what is new in it. Both tell types from how values are
 * written, so that `1.0` is a number and no integer, and both go by the last of a repeated key.
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
import type { Batch } from '../core/batch.ts';
import { checkChoice } from '../core/check-option.ts';
import { EtlError, type Place } from '../core/errors.ts';
import { formatPath, type Path, parsePath } from '../core/path.ts';
import { type OnReject, rejectDocument } from '../core/reject.ts';
import type { Transform } from '../core/stage.ts';
import { type FieldStats, sharedKernel } from '../kernels/index.ts';
import { parseInt64 } from '../kernels/twin/numbers.ts';
import { decodeText } from '../kernels/twin/text.ts';
import { editLines, type LineEdits, NOTHING } from './line-editor.ts';
import { Members, OPEN_BRACE, OPEN_BRACKET, QUOTE, type Span, stringText } from './members.ts';
import { isNumberStart } from './raw-value.ts';
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
  /** Known from the start: types by dotted path, as other paths are written. Default: what earlier runs of the name learned. */
  readonly schema?: Readonly<Record<string, ContractType | readonly ContractType[]>>;
  /** Told of everything left out: a field, or (path undefined) a whole document. */
  readonly onDiscard?: (place: Place, path: string | undefined) => void;
}

interface Finding {
  readonly path: string;
  readonly mode: ContractMode;
  readonly what: string;
}

/** What is new in a batch: a tree of names, in which a field that is new, or has a type that is, has its path. */
class News {
  path: string | undefined;
  readonly below = new Map<string, News>();

  at(path: Path): News {
    let node: News = this;
    for (const step of path) {
      const next = node.below.get(step) ?? new News();
      node.below.set(step, next);
      node = next;
    }
    return node;
  }
}

/** What a look at one document gathers. */
interface Look {
  readonly findings: Finding[];
  /** News that there is nothing to say against. Null has no type. */
  readonly fitting: { readonly path: string; readonly type: ContractType | undefined }[];
}

const TYPES: readonly string[] = ['boolean', 'integer', 'number', 'string', 'object', 'array'];
const MODES: readonly string[] = ['evolve', 'freeze', 'discard_value', 'discard_row'];
/** Objects with data for keys would make every document's keys known. */
const MOST_FIELDS = 10_000;

/**
 * Holds documents against what is known of their fields; in a `run` that is kept from run to run.
 * Errors: CONTRACT_BROKEN; INVALID_ARGUMENT for a mode or a path that is none, or more than 10,000 fields.
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
    this.#learnSchema();
  }

  save(): Record<string, ContractType[]> {
    return Object.fromEntries([...this.#known].map(([path, types]) => [path, [...types]]));
  }

  restore(state: unknown): void {
    this.#known.clear();
    this.#learnSchema();
    for (const [path, types] of Object.entries((state ?? {}) as Record<string, ContractType[]>)) {
      this.#learn(path, types);
    }
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
    if (fits) {
      for (const { path, types } of fresh) this.#learn(formatPath(path), types);
      return [batch];
    }
    const news = new News();
    for (const { path } of fresh) news.at(path).path = formatPath(path);
    return this.#sift(batch, news, newColumns, onReject);
  }

  /** Fields or types that are not known. */
  #findNew(fields: readonly FieldStats[]) {
    const fresh: { path: Path; types: ContractType[]; isColumn: boolean }[] = [];
    const visit = (field: FieldStats): void => {
      if (field.element) return;
      const { path } = field;
      const known = this.#known.get(formatPath(path));
      const types = typesOf(field).filter((type) => !known || !allows(known, type));
      if (!known || types.length > 0) fresh.push({ path, types, isColumn: !known });
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

  /** Document by document, as what is new in one is known in the next. */
  #sift(batch: Batch, news: News, columns: ContractMode, onReject: OnReject | undefined): Batch[] {
    const bytes = batch.bytes();
    const kept: number[] = [];
    /** Per document that is kept, what it goes on without. */
    const gone: ReadonlySet<string>[] = [];
    for (let i = 0; i < batch.length; i++) {
      const { findings, fitting }: Look = { findings: [], fitting: [] };
      this.#examine(bytes, batch.span(i).start, news, columns, { findings, fitting });
      const frozen = findings.find(({ mode }) => mode === 'freeze');
      if (frozen) {
        rejectDocument(batch, i, { code: 'CONTRACT_BROKEN', reason: frozen.what }, onReject);
        continue;
      }
      if (findings.some(({ mode }) => mode === 'discard_row')) {
        this.#options.onDiscard?.(batch.place(i), undefined);
        continue;
      }
      for (const { path } of findings) this.#options.onDiscard?.(batch.place(i), path);
      for (const { path, type } of fitting) this.#learn(path, type ? [type] : []);
      kept.push(i);
      gone.push(new Set(findings.map(({ path }) => path)));
    }
    return editLines(batch.pick(kept), onReject, (line, start, _end, edits, index) => {
      if (gone[index]!.size > 0) cutMembers(line, start, news, gone[index]!, edits);
    });
  }

  /** Looks for news in the object whose `{` is at `at`. */
  #examine(bytes: Uint8Array, at: number, news: News, columns: ContractMode, look: Look): void {
    const { dataType } = this.#modes;
    for (const [node, value] of lastMembers(bytes, at, news)) {
      const { path } = node;
      const type = typeAt(bytes, value);
      if (path !== undefined) {
        const known = this.#known.get(path);
        if (!known && columns !== 'evolve') {
          look.findings.push({ path, mode: columns, what: `${path} is a new field` });
          continue;
        }
        if (known?.size && type && !allows(known, type) && dataType !== 'evolve') {
          const what = `${path} is of type ${type}, not ${[...known].join(' or ')}`;
          look.findings.push({ path, mode: dataType, what });
          continue;
        }
        look.fitting.push({ path, type });
      }
      if (type === 'object') this.#examine(bytes, value.start, node, columns, look);
    }
  }

  #learnSchema(): void {
    for (const [path, types] of Object.entries(this.#options.schema ?? {})) {
      this.#learn(formatPath(parsePath(path)), typeof types === 'string' ? [types] : types);
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

/** The members of the object whose `{` is at `at` that news are of or below. */
function lastMembers(bytes: Uint8Array, at: number, news: News): Map<News, Span> {
  const found = new Map<News, Span>();
  if (news.below.size === 0) return found;
  const members = new Members(bytes, at);
  while (members.next()) {
    const { keyStart, keyEnd, valueStart, valueEnd } = members;
    const node = news.below.get(stringText(bytes, keyStart, keyEnd));
    if (node) found.set(node, { start: valueStart, end: valueEnd });
  }
  return found;
}

/** Takes the members at the paths in `gone` out of the object whose `{` is at `at`, each with one comma. */
function cutMembers(
  bytes: Uint8Array,
  at: number,
  news: News,
  gone: ReadonlySet<string>,
  edits: LineEdits,
): void {
  const members = new Members(bytes, at);
  /** Where the member before ended. */
  let last = 0;
  let isFirst = true;
  /** Where members began that go and have none in front that stays: they take the comma behind them along. */
  let from: number | undefined;
  while (members.next()) {
    const { keyStart, keyEnd, valueStart, valueEnd } = members;
    const node = news.below.get(stringText(bytes, keyStart, keyEnd));
    if (node?.path === undefined || !gone.has(node.path)) {
      if (from !== undefined) edits.replace(from, keyStart, NOTHING);
      from = undefined;
      isFirst = false;
      if (node && bytes[valueStart] === OPEN_BRACE)
        cutMembers(bytes, valueStart, node, gone, edits);
    } else if (isFirst) from ??= keyStart;
    else edits.replace(last, valueEnd, NOTHING);
    last = valueEnd;
  }
  if (from !== undefined) edits.replace(from, last, NOTHING);
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

/** As the kernel counts it; undefined for null, which fits everywhere. */
function typeAt(bytes: Uint8Array, { start, end }: Span): ContractType | undefined {
  const first = bytes[start]!;
  if (first === QUOTE) return 'string';
  if (first === OPEN_BRACE) return 'object';
  if (first === OPEN_BRACKET) return 'array';
  if (!isNumberStart(first)) return first === 0x6e ? undefined : 'boolean';
  return parseInt64(decodeText(bytes, start, end)) === undefined ? 'number' : 'integer';
}

function allows(known: ReadonlySet<ContractType>, type: ContractType): boolean {
  return known.has(type) || (type === 'integer' && known.has('number'));
}
