/**
 * How a load meets what is in the collection already, beyond merging by id: deleting first.
 *
 * Deletions and the new documents become visible together, with the one commit at the end; a load that
 * dies before leaves all as it was. The ids to delete are held in memory and stand in that commit.
 */
import type { Batch } from '../core/batch.ts';
import { checkChoice } from '../core/check-option.ts';
import { EtlError } from '../core/errors.ts';
import { formatPath, type Path, type PathInput, parsePath } from '../core/path.ts';
import { eq, exists, isNull, not, or, type Predicate, type Scalar } from '../core/predicate.ts';
import type { FastStore } from '../store/index.ts';
import { identityOf, KeyReader, scalarText } from '../transforms/key-reader.ts';
import { OPEN_BRACKET } from '../transforms/members.ts';
import type { RawValue } from '../transforms/raw-value.ts';

/**
 * `merge`: a document takes the place of the one with its id. `append`: such a document is an error
 * (DUPLICATE_ID). `replace`: the collection becomes what is written; readers see the old one until all
 * is there. `deleteWhere`: documents there that match go first. `deleteBy`: documents there go that have
 * the same value in a field as one that comes, also if that is rejected for its id, as with partitions
 * that are loaded whole. Numbers are the same where all digits are; `null` and no value are the same. An
 * object, an array and what is reached through one are no value: such documents stay, and are
 * INVALID_DOCUMENT where they come, as are numbers above 1.8e308.
 */
export type WriteDisposition =
  | 'merge'
  | 'append'
  | 'replace'
  | { readonly deleteWhere: Predicate }
  | { readonly deleteBy: PathInput };

/** Errors: INVALID_ARGUMENT for what is none. */
export function checkDisposition(write: WriteDisposition): void {
  if (typeof write !== 'object' || write === null) {
    checkChoice('write', write, ['merge', 'append', 'replace']);
    return;
  }
  if (Object.keys(write).length === 1) {
    const { deleteWhere, deleteBy } = write as { deleteWhere?: unknown; deleteBy?: PathInput };
    if (deleteBy !== undefined) return void parsePath(deleteBy);
    if (typeof deleteWhere === 'object' && deleteWhere !== null && 'op' in deleteWhere) return;
  }
  const text = 'write takes { deleteWhere } with a predicate, or { deleteBy } with a path';
  throw new EtlError('INVALID_ARGUMENT', text);
}

/** True where nothing may be committed before the end. */
export function commitsOnce(write: WriteDisposition): boolean {
  return typeof write === 'object';
}

/** Deletes what a load replaces, before it is written. */
export class Clearing {
  readonly #store: FastStore<object>;
  readonly #where: Predicate | undefined;
  readonly #partitions: Partitions | undefined;
  /** Keys of partitions. */
  readonly #cleared = new Set<string>();
  #begun = false;

  constructor(store: FastStore<object>, write: Exclude<WriteDisposition, string>) {
    this.#store = store;
    if ('deleteBy' in write) this.#partitions = new Partitions(parsePath(write.deleteBy));
    else this.#where = write.deleteWhere;
  }

  /** Before the first batch, and before a commit without any; again does nothing. */
  async begin(): Promise<void> {
    if (this.#begun) return;
    this.#begun = true;
    if (this.#where) await this.#delete(this.#where);
  }

  /**
   * Before each batch: begins, and a value met first is cleared. Errors, with nothing cleared for the
   * batch: INVALID_DOCUMENT naming the first document without one value to go by; as `Batch.bytes`.
   */
  async admit(batch: Batch): Promise<void> {
    await this.begin();
    const fresh = new Map<string, Predicate>();
    this.#partitions?.read(batch, (i, key, value) => {
      if (key === undefined || (value?.isNumber && !Number.isFinite(value.number))) {
        const reason = `${this.#partitions!.name} holds no single value to delete by`;
        throw new EtlError('INVALID_DOCUMENT', reason, { place: batch.place(i) });
      }
      if (this.#cleared.has(key) || fresh.has(key)) return;
      fresh.set(key, this.#partitions!.mayHold(value));
    });
    for (const [key, where] of fresh) {
      this.#cleared.add(key);
      await this.#delete(where, key);
    }
  }

  /** Deletes what the predicate finds; with a key, of that only what is in its partition. */
  async #delete(where: Predicate, key?: string): Promise<void> {
    const ids: string[] = [];
    for await (const batch of this.#store.scan({ where }).batches()) {
      const found = batch.documents().map(({ _id }) => String(_id));
      if (key === undefined) for (const id of found) ids.push(id);
      else this.#partitions!.read(batch, (i, own) => own === key && ids.push(found[i]!));
    }
    for (const id of ids) this.#store.delete(id);
  }
}

/** Tells documents apart by their value at a path. */
class Partitions {
  readonly name: string;
  readonly #path: Path;
  readonly #reader: KeyReader;

  constructor(path: Path) {
    this.name = formatPath(path);
    this.#path = path;
    this.#reader = new KeyReader([path, ...path.slice(1).map((_, i) => path.slice(0, i + 1))]);
  }

  /** Visits each document with its partition's key, undefined for one in none, and its value. */
  read(
    batch: Batch,
    visit: (index: number, key: string | undefined, value: RawValue | undefined) => void,
  ): void {
    this.#reader.read(batch, undefined, (index, [value, ...leading]) => {
      const isSingle =
        leading.every((each) => each?.bytes[each.start] !== OPEN_BRACKET) &&
        (value === undefined || scalarText(value) !== undefined);
      const key = value === undefined ? 'null' : identityOf(value);
      visit(index, isSingle ? key : undefined, value);
    });
  }

  /** True for all documents of the value's partition, and for a few others. */
  mayHold(value: RawValue | undefined): Predicate {
    const scalar = value === undefined ? null : (JSON.parse(value.text) as Scalar);
    if (scalar !== null) return eq(this.#path, scalar);
    return or(isNull(this.#path), not(exists(this.#path)));
  }
}
