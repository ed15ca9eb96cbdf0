/**
 * Reading a collection of files from end to end, in the order of its ids. The ids are those of the
 * moment when the scan began; a document that has gone since is passed over, one that changed is
 * read as it is. One document is in memory at a time.
 *
 * A scanner runs once, however it is asked: `next`, `for of`, `for await` and `collect` go on where
 * the others stopped, and `reset` begins anew. `for await` lets others work every few milliseconds.
 */
import { setImmediate } from 'node:timers/promises';
import type { Document } from '../../core/batch.ts';
import { type PathInput, parsePath } from '../../core/path.ts';
import type { Predicate } from '../../core/predicate.ts';
import {
  buildSelection,
  compilePredicate,
  needsExactIntegers,
  projectDocument,
  type Selection,
  sharedKernel,
} from '../../kernels/index.ts';

/** Tests a document as `Engine.getRaw` gives it. */
export type KeepsLine = (line: Uint8Array) => boolean;

/** What a scanner reads from. */
export interface ScannerHost {
  readonly ids: readonly string[];
  /** Undefined when the document has gone, or its line is not one to keep; it is made for that only. */
  read(id: string, keepsLine?: KeepsLine): Document | undefined;
}

const TURN_MS = 5;

export class Scanner<T extends object = Document> implements IterableIterator<T>, AsyncIterable<T> {
  readonly #host: ScannerHost;
  readonly #keeps: ((document: Document) => boolean) | undefined;
  /** Where the objects have lost digits that the predicate asks for. */
  readonly #keepsLine: KeepsLine | undefined;
  readonly #selection: Selection | undefined;
  #at = 0;

  /** Errors: INVALID_ARGUMENT for a bad path. */
  constructor(
    host: ScannerHost,
    predicate: Predicate | null | undefined,
    fields: readonly PathInput[] | null | undefined,
  ) {
    this.#host = host;
    if (predicate && needsExactIntegers(predicate)) {
      const selector = sharedKernel().selector({ where: predicate });
      this.#keepsLine = (line) => selector.filter(line).count > 0;
    } else if (predicate) this.#keeps = compilePredicate(predicate);
    this.#selection = fields ? buildSelection(fields.map(parsePath)) : undefined;
  }

  /** The next document that fits. Errors: JSON_ERROR and NOT_AN_OBJECT naming the file, IO_ERROR. */
  next(): IteratorResult<T, undefined> {
    const { ids } = this.#host;
    while (this.#at < ids.length) {
      const document = this.#host.read(ids[this.#at++]!, this.#keepsLine);
      if (document === undefined || this.#keeps?.(document) === false) continue;
      const value = this.#selection ? projectDocument(document, this.#selection) : document;
      return { done: false, value: value as T };
    }
    return { done: true, value: undefined };
  }

  [Symbol.iterator](): this {
    return this;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T, void, void> {
    let since = performance.now();
    for (const document of this) {
      yield document;
      if (performance.now() - since < TURN_MS) continue;
      await setImmediate();
      since = performance.now();
    }
  }

  /** All documents that are left. */
  collect(): T[] {
    return [...this];
  }

  /** Begins anew. */
  reset(): void {
    this.#at = 0;
  }

  /** Documents not looked at yet. */
  get remaining(): number {
    return this.#host.ids.length - this.#at;
  }
}
