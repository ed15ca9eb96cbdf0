/**
 * Writes a collection with a file per document, each change durable when its call resolves: for
 * few documents, or where none may be lost. Calls that overlap share their syncs. Many documents
 * are the BufferedWriter's business.
 */
import type { Document } from '../../core/batch.ts';
import type { ZdsRoot } from '../root.ts';
import { EngineWriter, type EngineWriterOptions } from './engine-writer.ts';

export class SyncWriter<T extends object = Document> {
  readonly #writer: EngineWriter<T>;

  private constructor(writer: EngineWriter<T>) {
    this.#writer = writer;
  }

  /** Errors: as `EngineWriter.open`. */
  static async open<T extends object = Document>(
    root: ZdsRoot | string,
    collection: string,
    options: EngineWriterOptions = {},
  ): Promise<SyncWriter<T>> {
    return new SyncWriter(await EngineWriter.open<T>(root, collection, options));
  }

  /** Documents in the collection. */
  get count(): number {
    return this.#writer.count;
  }

  exists(id: string): boolean {
    return this.#writer.exists(id);
  }

  /** Stores a document, durably. Errors: as `EngineWriter.put`, and IO_ERROR. */
  async put(id: string, document: T): Promise<void> {
    this.#writer.put(id, document);
    await this.#writer.flush();
  }

  /** Stores a document given as bytes, durably. Errors: as `EngineWriter.putRaw`, and IO_ERROR. */
  async putRaw(id: string, bytes: Uint8Array): Promise<void> {
    this.#writer.putRaw(id, bytes);
    await this.#writer.flush();
  }

  /** Deletes a document, durably. Answers whether there was one. */
  async delete(id: string): Promise<boolean> {
    const found = this.#writer.delete(id);
    if (found) await this.#writer.flush();
    return found;
  }

  close(): Promise<void> {
    return this.#writer.close();
  }

  /** Lets go, after a failure too; what resolved is durable. */
  abandon(): Promise<void> {
    return this.#writer.abandon();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
