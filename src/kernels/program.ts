/**
 * Compiles queries for the WebAssembly kernel: paths become slots, a predicate becomes a graph of
 * tests (wasm/predicate.ts), a selection becomes projection entries (wasm/project.ts), columns
 * become descriptors (wasm/columns.ts). Everything lies in one image that is copied into the module.
 */
import type { Path } from '../core/path.ts';
import type { Predicate } from '../core/predicate.ts';
import { Layout, type Program } from './line-machine.ts';
import { comparisonTest, containmentTest, memberTests, Op, type Test } from './program-tests.ts';
import type { Selection } from './selection.ts';
import { planSkim } from './skim-plan.ts';
import { encodeWtf8 } from './wasm-bytes.ts';

const TEST_WORDS = 8;
const STEP_WORDS = 5;
const ENTRY_WORDS = 6;
const COLUMN_WORDS = 8;
/** Of a step that is no index into an array. */
const NO_INDEX = 0xffff_ffff;
const HEADER_BYTES = 64;
const NOTHING = new Uint8Array(0);
const HOLDS = 0xffff_ffff;
const FAILS = 0xffff_fffe;

interface PlacedTest extends Test {
  readonly path: Path;
  readonly yes: number;
  readonly no: number;
}

/** Collects slots, constants and tables, and lays them out. */
export class ProgramBuilder {
  readonly #paths: Path[] = [];
  readonly #slots = new Map<string, number>();
  readonly #tests: PlacedTest[] = [];
  readonly #blobs: Uint8Array[] = [];
  /** Names that are looked up together, as blobs. */
  readonly #nameLists: { readonly blob: number; readonly length: number }[][] = [];
  #blobBytes = 0;
  #deep = false;
  /** The first test to run, or HOLDS or FAILS. */
  #entry: number | undefined;
  #skim: SkimWords | undefined;

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

  /** Compiles the predicate. `trusted` lines that it cannot keep are passed over, where that is possible. */
  predicate(predicate: Predicate, trusted = false): void {
    this.#entry = this.#compile(predicate, HOLDS, FAILS);
    const plan = trusted ? planSkim(predicate) : undefined;
    if (!plan) return;
    const { key, test, constant = NOTHING } = plan;
    this.#skim = {
      key: this.blob(key),
      size: key.length,
      test,
      constant: this.blob(constant),
      length: constant.length,
    };
  }

  /** Copies bytes into the image; returns a handle for `address`. */
  blob(bytes: Uint8Array): number {
    const at = this.#blobBytes;
    this.#blobs.push(bytes);
    this.#blobBytes += Math.ceil(bytes.length / 8) * 8;
    return at;
  }

  /** Compiles a selection into entries, parents before what is below them. */
  selection(selection: Selection, prefix: Path = []): SelectionEntry[] {
    const entries: SelectionEntry[] = [];
    for (const [field, inner] of selection) {
      const path = [...prefix, field];
      const label = encodeWtf8(`${JSON.stringify(field)}:`);
      const below = inner === 'all' ? [] : this.selection(inner, path);
      const names = inner === 'all' ? undefined : this.#names([...inner.keys()]);
      const size = label.length;
      entries.push(
        { slot: this.slot(path), label: this.blob(label), size, below: below.length, names },
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
    readonly columns?: readonly ProgramColumn[];
  }): BuiltProgram | undefined {
    const { mode, key, entries = [], columns = [] } = options;
    const keySlot = key ? this.slot(key) : 0;
    const columnSlots = columns.map(({ path }) => (path ? this.slot(path) : 0));
    const columnNames = columns.map(({ names }) => names && this.#names(names));
    for (const test of this.#tests) this.slot(test.path);
    const constants = this.#tests.map(({ constant }) => (constant ? this.blob(constant) : 0));
    const stepLists = new Map<string, StepList>();
    let at = HEADER_BYTES + this.#tests.length * TEST_WORDS * 4;
    for (const { path } of this.#tests) {
      const name = JSON.stringify(path);
      if (path.length === 1 || stepLists.has(name)) continue;
      const names = path.map((step) => this.blob(encodeWtf8(step)));
      stepLists.set(name, { at, path, names });
      at += 4 + path.length * STEP_WORDS * 4;
    }
    const namesAt = this.#nameLists.map((list) => {
      const listAt = at;
      at += 4 + list.length * 8;
      return listAt;
    });
    const entriesAt = at;
    const columnsAt = Math.ceil((entriesAt + entries.length * ENTRY_WORDS * 4) / 8) * 8;
    const blobsAt = columnsAt + columns.length * COLUMN_WORDS * 4;
    const size = Math.ceil((blobsAt + this.#blobBytes) / 8) * 8;
    if (size > Layout.programEnd - Layout.program || this.#paths.length >= Layout.slotLimit - 1) {
      return undefined;
    }
    const image = new Uint8Array(size);
    const words = new Uint32Array(image.buffer);
    const base = Layout.program;
    const blobs = base + blobsAt;
    const listAddress = (list: number | undefined) =>
      list === undefined ? 0 : base + namesAt[list]!;
    words[0] = this.#entry ?? HOLDS;
    if (this.#skim) {
      const { key, size: keySize, test, constant, length } = this.#skim;
      words.set([blobs + key, keySize, test, blobs + constant, length], 1);
    }
    for (const [i, { op, path, constant, inner, yes, no }] of this.#tests.entries()) {
      const steps = stepLists.get(JSON.stringify(path));
      words.set(
        [
          ...[op, this.slot(path), steps ? base + steps.at : 0, yes, no],
          ...[blobs + constants[i]!, constant?.length ?? 0, inner ?? 0],
        ],
        (HEADER_BYTES >> 2) + i * TEST_WORDS,
      );
    }
    for (const { at: stepsAt, path, names } of stepLists.values()) {
      words[stepsAt >> 2] = path.length;
      for (const [i, step] of path.entries()) {
        const slot = this.slot(path.slice(0, i + 1));
        words.set(
          [slot, indexOf(step), 1, blobs + names[i]!, encodeWtf8(step).length],
          (stepsAt >> 2) + 1 + i * STEP_WORDS,
        );
      }
    }
    for (const [i, list] of this.#nameLists.entries()) {
      const pairs = list.flatMap(({ blob, length }) => [blobs + blob, length]);
      words.set([list.length, ...pairs], namesAt[i]! >> 2);
    }
    for (const [i, entry] of entries.entries()) {
      words.set(
        [entry.slot, blobs + entry.label, entry.size, entry.below, listAddress(entry.names)],
        (entriesAt >> 2) + i * ENTRY_WORDS,
      );
    }
    for (const [i, { kind, below }] of columns.entries()) {
      words.set(
        [kind, columnSlots[i]!, 0, 0, below, 0, 0, listAddress(columnNames[i])],
        (columnsAt >> 2) + i * COLUMN_WORDS,
      );
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
      skims: this.#skim !== undefined,
      at: entries.length > 0 ? base + entriesAt : columns.length > 0 ? base + columnsAt : 0,
      count: entries.length + columns.length,
      rowLimit: 0,
      slack,
      columnsAt: columnsAt >> 2,
    };
  }

  /** Notes a list of names for wasm/cursor.ts; returns its ordinal. */
  #names(names: readonly string[]): number {
    const list = names.map((name) => {
      const bytes = encodeWtf8(name);
      return { blob: this.blob(bytes), length: bytes.length };
    });
    return this.#nameLists.push(list) - 1;
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
        return memberTests(predicate.values).reduceRight(
          (next, test) => this.#add(test, predicate.path, yes, next),
          no,
        );
      case 'exists':
        return this.#add({ op: Op.exists }, predicate.path, yes, no);
      case 'isNull':
        return this.#add({ op: Op.null }, predicate.path, yes, no);
      case 'startsWith':
      case 'endsWith': {
        const constant = encodeWtf8(predicate.value);
        return this.#add({ op: Op[predicate.op], constant }, predicate.path, yes, no);
      }
      case 'contains':
        return this.#add(containmentTest(predicate.value), predicate.path, yes, no);
      case 'matches':
        return yes;
      default: {
        const test = comparisonTest(predicate.op, predicate.value);
        return test ? this.#add(test, predicate.path, yes, no) : no;
      }
    }
  }

  #add(test: Test, path: Path, yes: number, no: number): number {
    return this.#tests.push({ ...test, path, yes, no }) - 1;
  }
}

/** A SkimPlan with its bytes as blobs. */
interface SkimWords {
  readonly key: number;
  readonly size: number;
  readonly test: number;
  readonly constant: number;
  readonly length: number;
}

interface StepList {
  /** Offset in the image. */
  readonly at: number;
  readonly path: Path;
  /** Blobs of the steps' names. */
  readonly names: readonly number[];
}

/** A column as the module sees it; what is below it (fields, elements) follows it. */
export interface ProgramColumn {
  readonly kind: number;
  /** Where it is read from; absent for what is inside a list. */
  readonly path?: Path | undefined;
  /** How many columns that follow are below it. */
  readonly below: number;
  /** Of a struct inside a list: the names of its fields. */
  readonly names?: readonly string[] | undefined;
}

export interface SelectionEntry {
  readonly slot: number;
  readonly label: number;
  readonly size: number;
  readonly below: number;
  /** The list of the names below it. */
  readonly names: number | undefined;
}

export interface BuiltProgram extends Program {
  /** Word offset of the columns in the image. */
  readonly columnsAt: number;
}

/** The element that a step picks from an array, as far as a u32 can say; NO_INDEX if none. */
function indexOf(step: string): number {
  return /^\d+$/.test(step) ? Math.min(Number(step), NO_INDEX - 1) : NO_INDEX;
}

/**
 * A predicate that the module can evaluate and that holds wherever the given one does; the same
 * object if it is exact. Regular expressions are left to the caller.
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
    default:
      return predicate;
  }
}
