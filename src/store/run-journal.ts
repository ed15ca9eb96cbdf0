/**
 * meta/journal-*.bin: what a transform of a run remembers that is too much to stand in every commit,
 * such as the keys that `dedupe` has seen. The file only grows; a commit's cursor says how many of its
 * bytes count. They are synced before that commit, so they are there whenever it is. What lies behind
 * them a crash left or the run has gone back over: it is cut when the journal is read.
 *
 * Other programs ignore the file. Written by the collection's writer, synchronously: nothing may come
 * between the sync and the commit.
 */
import { join } from 'node:path';
import { EtlError } from '../core/errors.ts';
import type { RunJournal } from '../core/stage.ts';
import type { Disk, DiskFile } from '../io/index.ts';
import { sharedKernel } from '../kernels/index.ts';
import { Layout } from './layout.ts';

/** A journal by its name, which may be any text; an empty one if it is new. Errors: IO_ERROR. */
export async function openRunJournal(
  disk: Disk,
  root: string,
  collection: string,
  name: string,
): Promise<RunJournal> {
  const hash = sharedKernel().hash(new TextEncoder().encode(name)).toString(16).padStart(16, '0');
  const meta = Layout.metaDir(root, collection);
  const file = await disk.open(join(meta, `journal-${hash}.bin`), 'create');
  await disk.syncDir(meta);
  return new FileJournal(file);
}

class FileJournal implements RunJournal {
  readonly #file: DiskFile;
  #end = 0;
  #pending: Uint8Array[] = [];

  constructor(file: DiskFile) {
    this.#file = file;
  }

  async recall(byteLength: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(byteLength);
    const got = byteLength === 0 ? 0 : await this.#file.read(bytes, 0);
    if (got < byteLength) {
      const text = `what the run remembers is cut short: ${got} of ${byteLength} bytes`;
      throw new EtlError('CURSOR_MISMATCH', text, { place: { path: this.#file.path } });
    }
    await this.#file.truncate(byteLength);
    this.#end = byteLength;
    this.#pending = [];
    return bytes;
  }

  append(bytes: Uint8Array): void {
    this.#pending.push(bytes.slice());
  }

  sync(): void {
    if (this.#pending.length === 0) return;
    const bytes = Buffer.concat(this.#pending);
    this.#file.writeSync(bytes, this.#end);
    this.#file.syncSync();
    this.#end += bytes.length;
    this.#pending = [];
  }

  close(): Promise<void> {
    return this.#file.close();
  }
}
