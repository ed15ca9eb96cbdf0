/**
 * Compiles queries for the WebAssembly kernel: paths become slots, a predicate becomes a graph of
 * tests (wasm/predicate.ts), a selection becomes projection entries (wasm/project.ts), columns
 * become descriptors (wasm/columns.ts). Everything lies in one image that is copied into the module.
 */
import type { Path } from '../core/path.ts';
import type { Predicate, Scalar } from '../core/predicate.ts';
import { Layout, type Program } from './line-machine.ts';
import type { Selection } from './selection.ts';
import { encodeWtf8 } from './wasm-bytes.ts';

const TEST_WORDS = 8;
const HEADER_BYTES = 64;
const HOLDS = 0xffff_ffff;
const FAILS = 0xffff_fffe;

const Op = {
  true: 1,
  false: 2,
  null: 3,
  exists: 4,
  eqNumber: 5,
  eqString: 10,
  starts: 15,
  ends: 16,
  contains: { string: 17, number: 18, true: 19, false: 20, null: 21 },
  order: { lt: 1, lte: 2, gt: 3, gte: 4 },
} as const;

interface Test {
  readonly op: number;
  readonly path: Path;
  readonly constant: Uint8Array | undefined;
  yes: number;
  no: number;
}

/** Collects slots, constants and tables, and lays them out. */
export class ProgramBuilder {
  readonly #paths: Path[] = [];
  readonly #slots = new Map<string, number>();
  readonly #tests: Test[] = [];
  readonly #tables: number[] = [];
  readonly #blobs: Uint8Array[] = [];
  #blobBytes = 0;
  #deep = false;
  /** The first test to run, or HOLDS or FAILS. */
  #entry: number | undefined;

  /** The 1-based slot of a path; steps before the last get slots too, to notice arrays. */
  slot(path: Path): number {
    if (path.length > 1) {
      this.#deep = true;
      this.slot(path.slice(0, -1));
    }
    const key = JSON.stringify(path);
    let slot = this.#slots.get(key);
    if (slot === undefined) {
      this.#paths.push(path);
      slot = this.#paths.length;
      this.#slots.set(key, slot);
    }
    return slot;
  }

  /** Compiles the predicate. */
  predicate(predicate: Predicate): void {
    this.#entry = this.#compile(predicate, HOLDS, FAILS);
  }

  /** Copies bytes into the image; returns a handle for `address`. */
  blob(bytes: Uint8Array): number {
    const at = this.#blobBytes;
    this.#blobs.push(bytes);
    this.#blobBytes += Math.ceil(bytes.length / 8) * 8;
    return at;
  }

  /** Compiles a selection into entries, parents first; returns the words with blob handles resolved later. */
  selection(selection: Selection, prefix: Path = []): SelectionEntry[] {
    const entries: SelectionEntry[] = [];
    for (const [field, inner] of selection) {
      const path = [...prefix, field];
      const label = encodeWtf8(`${JSON.stringify(field)}:`);
      const below = inner === 'all' ? [] : this.selection(inner, path);
      entries.push(
        { slot: this.slot(path), label: this.blob(label), size: label.length, below: below.length },
        ...below,
      );
    }
    return entries;
  }

  /** Lays everything out. Undefined if it is too large for the module's program memory. */
  build(options: {
    readonly mode: number;
    readonly key?: Path;
    readonly entries?: readonly SelectionEntry[];
    readonly columns?: readonly { readonly kind: number; readonly path: Path }[];
  }): BuiltProgram | undefined {
    const { mode, key, entries = [], columns = [] } = options;
    const keySlot = key ? this.slot(key) : 0;
    const columnSlots = columns.map(({ path }) => this.slot(path));
    for (const test of this.#tests) this.slot(test.path);
    const constants = this.#tests.map(({ constant }) => (constant ? this.blob(constant) : 0));
    const stepLists = this.#tests.map(({ path }) => this.#steps(path));
    const testsAt = HEADER_BYTES;
    const stepsAt = testsAt + this.#tests.length * TEST_WORDS * 4;
    const entriesAt = stepsAt + stepLists.reduce((sum, list) => sum + list.length * 4, 0);
    const columnsAt = Math.ceil((entriesAt + entries.length * 24) / 8) * 8;
    const blobsAt = columnsAt + columns.length * 32;
    const size = Math.ceil((blobsAt + this.#blobBytes) / 8) * 8;
    if (size > Layout.programEnd - Layout.program || this.#paths.length >= Layout.slotLimit - 1) {
      return undefined;
    }
    const image = new Uint8Array(size);
    const words = new Uint32Array(image.buffer);
    const base = Layout.program;
    words[0] = this.#entry ?? HOLDS;
    let stepAt = stepsAt;
    for (const [i, test] of this.#tests.entries()) {
      const list = stepLists[i]!;
      const at = (testsAt >> 2) + i * TEST_WORDS;
      words[at] = test.op;
      words[at + 1] = this.slot(test.path);
      words[at + 2] = list.length > 0 ? base + stepAt : 0;
      words[at + 3] = test.yes;
      words[at + 4] = test.no;
      words[at + 5] = base + blobsAt + constants[i]!;
      words[at + 6] = test.constant?.length ?? 0;
      words.set(list, stepAt >> 2);
      stepAt += list.length * 4;
    }
    for (const [i, entry] of entries.entries()) {
      const label = base + blobsAt + entry.label;
      words.set([entry.slot, label, entry.size, entry.below], (entriesAt >> 2) + i * 6);
    }
    for (const [i, { kind }] of columns.entries()) {
      words.set([kind, columnSlots[i]!], (columnsAt >> 2) + i * 8);
    }
    let blobAt = blobsAt;
    for (const blob of this.#blobs) {
      image.set(blob, blobAt);
      blobAt += Math.ceil(blob.length / 8) * 8;
    }
    const slack = entries.reduce((sum, entry) => sum + entry.size + 4, 16);
    return {
      mode,
      paths: this.#paths,
      image,
      keySlot,
      hasPredicate: this.#entry !== undefined && this.#entry !== HOLDS,
      slowIfTwice: this.#deep,
      at: entries.length > 0 ? base + entriesAt : columns.length > 0 ? base + columnsAt : 0,
      count: entries.length + columns.length,
      rowLimit: 0,
      slack,
      columnsAt: columnsAt >> 2,
    };
  }

  /** Slots of the steps before the last, preceded by their number; empty for a single step. */
  #steps(path: Path): number[] {
    const steps: number[] = [];
    for (let depth = 1; depth < path.length; depth++) steps.push(this.slot(path.slice(0, depth)));
    return steps.length > 0 ? [steps.length, ...steps] : [];
  }

  /** Adds the tests of a predicate that go on to `yes` and `no`; returns where to enter. */
  #compile(predicate: Predicate, yes: number, no: number): number {
    switch (predicate.op) {
      case 'and':
        return predicate.terms.reduceRight((next, term) => this.#compile(term, next, no), yes);
      case 'or':
        return predicate.terms.reduceRight((next, term) => this.#compile(term, yes, next), no);
      case 'not':
        return this.#compile(predicate.term, no, yes);
      case 'in':
        return predicate.values.reduceRight(
          (next: number, value) => this.#compare('eq', predicate.path, value, yes, next),
          no,
        );
      case 'exists':
        return this.#add(Op.exists, predicate.path, undefined, yes, no);
      case 'isNull':
        return this.#add(Op.null, predicate.path, undefined, yes, no);
      case 'startsWith':
        return this.#add(Op.starts, predicate.path, encodeWtf8(predicate.value), yes, no);
      case 'endsWith':
        return this.#add(Op.ends, predicate.path, encodeWtf8(predicate.value), yes, no);
      case 'contains':
        return this.#contains(predicate.path, predicate.value, yes, no);
      case 'matches':
        return yes;
      default:
        return this.#compare(predicate.op, predicate.path, predicate.value, yes, no);
    }
  }

  #compare(
    op: 'eq' | 'lt' | 'lte' | 'gt' | 'gte',
    path: Path,
    value: Scalar,
    yes: number,
    no: number,
  ): number {
    if (typeof value === 'string' || typeof value === 'number') {
      const base = typeof value === 'string' ? Op.eqString : Op.eqNumber;
      const shift = op === 'eq' ? 0 : Op.order[op];
      return this.#add(base + shift, path, constantBytes(value), yes, no);
    }
    if (op !== 'eq') return no;
    return this.#add(
      value === null ? Op.null : value ? Op.true : Op.false,
      path,
      undefined,
      yes,
      no,
    );
  }

  #contains(path: Path, value: Scalar, yes: number, no: number): number {
    const { contains } = Op;
    if (typeof value === 'string')
      return this.#add(contains.string, path, encodeWtf8(value), yes, no);
    const op =
      value === null
        ? contains.null
        : value === true
          ? contains.true
          : value === false
            ? contains.false
            : contains.number;
    return this.#add(op, path, undefined, yes, no);
  }

  #add(op: number, path: Path, constant: Uint8Array | undefined, yes: number, no: number): number {
    this.#tests.push({ op, path, constant, yes, no });
    return this.#tests.length - 1;
  }
}

export interface SelectionEntry {
  readonly slot: number;
  readonly label: number;
  readonly size: number;
  readonly below: number;
}

export interface BuiltProgram extends Program {
  /** Word offset of the columns in the image. */
  readonly columnsAt: number;
}

/**
 * A predicate that the module can evaluate and that holds wherever the given one does; the same
 * object if it is exact. Regular expressions and bigint constants are left to the caller.
 */
export function relax(predicate: Predicate): Predicate {
  return relaxed(predicate, true);
}

const ANY: Predicate = { op: 'and', terms: [] };
const NONE: Predicate = { op: 'or', terms: [] };

function relaxed(predicate: Predicate, upward: boolean): Predicate {
  switch (predicate.op) {
    case 'and':
    case 'or': {
      const terms = predicate.terms.map((term) => relaxed(term, upward));
      const same = terms.every((term, i) => term === predicate.terms[i]);
      return same ? predicate : { op: predicate.op, terms };
    }
    case 'not': {
      const term = relaxed(predicate.term, !upward);
      return term === predicate.term ? predicate : { op: 'not', term };
    }
    case 'matches':
      return upward ? ANY : NONE;
    case 'in':
      return predicate.values.some((value) => typeof value === 'bigint')
        ? upward
          ? ANY
          : NONE
        : predicate;
    default:
      return 'value' in predicate && typeof predicate.value === 'bigint'
        ? upward
          ? ANY
          : NONE
        : predicate;
  }
}

function constantBytes(value: string | number): Uint8Array {
  if (typeof value === 'string') return encodeWtf8(value);
  return new Uint8Array(new Float64Array([value]).buffer);
}
