/**
 * How a load meets what is in the collection already, beyond merging by id: deleting first.
 *
 * Deletions and the new documents become visible together, with the one commit at the end; a load that
 * dies before leaves all as it was. The ids to delete are held in memory and stand in that commit.
 */
import type { Batch } from '../core/batch.ts';
import { EtlError } from '../core/errors.ts';
import { formatPath, type Path, type PathInput, parsePath } from '../core/path.ts';
import { eq, exists, isNull, not, or, type Predicate, type Scalar } from '../core/predicate.ts';
import { type Selector, sharedKernel } from '../kernels/index.ts';
import type { FastStore } from '../store/index.ts';

/**
 * `merge`: a document takes the place of the one with its id. `append`: such a document is an error
 * (DUPLICATE_ID). `replace`: the collection becomes what is written; readers see the old one until all
 * is there. `deleteWhere`: documents there that match go first. `deleteBy`: documents there go that have
 * the same value in a field as one that comes, as with partitions that are loaded whole.
 */
export type WriteDisposition =
  | 'merge'
  | 'append'
  | 'replace'
  | { readonly deleteWhere: Predicate }
  | { readonly deleteBy: PathInput };

/** True where nothing may be committed before the end. */
export function commitsOnce(write: WriteDisposition): boolean {
  return typeof write === 'object';
}

/** Deletes what a load replaces, before it is written. */
export class Clearing {
  readonly #store: FastStore<object>;
  readonly #write: Exclude<WriteDisposition, string>;
  readonly #path: Path;
  readonly #selector: Selector;
  readonly #cleared = new Set<Scalar>();
  #begun = false;

  constructor(store: FastStore<object>, write: Exclude<WriteDisposition, string>) {
    this.#store = store;
    this.#write = write;
    this.#path = parsePath('deleteBy' in write ? write.deleteBy : '_id');
    this.#selector = sharedKernel().selector({ select: [this.#path] });
  }

  /** Before the first batch, and before a commit without any; again does nothing. */
  async begin(): Promise<void> {
    if (this.#begun) return;
    this.#begun = true;
    if ('deleteWhere' in this.#write) await this.#delete(this.#write.deleteWhere);
  }

  /**
   * Before each batch: begins, and a value met first is cleared. Errors: INVALID_DOCUMENT naming the first
   * document whose field holds an object or array.
   */
  async admit(batch: Batch): Promise<void> {
    await this.begin();
    if ('deleteWhere' in this.#write) return;
    const { documents } = this.#selector.documents(batch.bytes());
    for (const [i, document] of documents.entries()) {
      const value = valueAt(document, this.#path);
      if (value !== null && typeof value === 'object') {
        const reason = `${formatPath(this.#path)} holds no single value to delete by`;
        throw new EtlError('INVALID_DOCUMENT', reason, { place: batch.place(i) });
      }
      if (this.#cleared.has(value as Scalar)) continue;
      this.#cleared.add(value as Scalar);
      await this.#delete(this.#matching(value as Scalar));
    }
  }

  #matching(value: Scalar): Predicate {
    if (value !== null) return eq(this.#path, value);
    return or(isNull(this.#path), not(exists(this.#path)));
  }

  async #delete(where: Predicate): Promise<void> {
    const ids: string[] = [];
    for await (const batch of this.#store.scan({ where }).batches()) {
      for (const document of batch.documents()) ids.push(String(document._id));
    }
    for (const id of ids) this.#store.delete(id);
  }
}

function valueAt(document: object, path: Path): unknown {
  let at: unknown = document;
  for (const field of path) at = (at as Record<string, unknown> | undefined)?.[field];
  return at ?? null;
}
