/**
 * The growing end of a file: bytes are appended to memory, written out in large pieces, and stay
 * readable here until the system has them.
 *
 * A block collects small appends. It is written when full, or when somebody drains; a larger piece
 * (`appendPiece`) is written straight from the memory it came in. Background writes stand in
 * `#flying` until done: at most a few, and their bytes belong to the write meanwhile. The first
 * failure is kept and given to `onFailure`; nothing may be appended afterwards.
 */
import type { DiskFile } from '../io/disk.ts';
import type { SyncFile } from './scan-snapshot.ts';

interface Flying {
  readonly offset: number;
  readonly bytes: Uint8Array;
  readonly done: Promise<void>;
}

/** The first block is small: many sessions write little. */
const FIRST_BLOCK_BYTES = 16 << 10;
const BLOCK_BYTES = 1 << 20;

export class FileTail {
  readonly #file: DiskFile;
  readonly #onFailure: (cause: unknown) => void;
  readonly #flying: Flying[] = [];
  #block: Buffer = Buffer.alloc(0);
  /** File offset of the block's first byte. */
  #blockStart: number;
  #used = 0;
  /** Bytes of the block that were given to a write. */
  #given = 0;

  constructor(file: DiskFile, end: number, onFailure: (cause: unknown) => void) {
    this.#file = file;
    this.#blockStart = end;
    this.#onFailure = onFailure;
  }

  /** One past the last byte appended, written or not. */
  get end(): number {
    return this.#blockStart + this.#used;
  }

  /** Bytes in memory that no write has taken yet. */
  get pendingBytes(): number {
    return this.#used - this.#given;
  }

  /** Bytes that writes in the background still hold. */
  get flyingBytes(): number {
    let sum = 0;
    for (const { bytes } of this.#flying) sum += bytes.length;
    return sum;
  }

  /** Everything before this offset is with the system. */
  get writtenEnd(): number {
    let end = this.#blockStart + this.#given;
    for (const { offset } of this.#flying) end = Math.min(end, offset);
    return end;
  }

  /** Appends text as UTF-8; answers how many bytes that was. Writes in place when the block is full. */
  appendText(text: string): number {
    const most = text.length * 3;
    if (this.#block.length - this.#used < most) this.#newBlock(most);
    const length = this.#block.write(text, this.#used);
    this.#used += length;
    return length;
  }

  /**
   * Room for `size` bytes at the end, to be filled and then claimed with `claim`. The view is good
   * until the next call of anything here.
   */
  reserve(size: number): { readonly bytes: Buffer; readonly at: number } {
    if (this.#block.length - this.#used < size) this.#newBlock(size);
    return { bytes: this.#block, at: this.#used };
  }

  claim(size: number): void {
    this.#used += size;
  }

  /**
   * Appends bytes that the caller gives up until `landed`, which says that the system has them; they
   * are written in the background from where they are.
   */
  appendPiece(bytes: Uint8Array, landed?: () => void): void {
    this.#giveBlock();
    const offset = this.end;
    this.#blockStart = offset + bytes.length;
    this.#used = 0;
    this.#given = 0;
    this.#block = Buffer.alloc(0);
    this.#write(bytes, offset, landed);
  }

  /** Resolves when everything appended so far is with the system. Rejects with the first failure. */
  async drain(): Promise<void> {
    this.#giveBlock();
    await Promise.all(this.#flying.map(({ done }) => done));
  }

  /** Resolves when no write is under way any more, however they ended; starts none. */
  async landed(): Promise<void> {
    await Promise.allSettled(this.#flying.map(({ done }) => done));
  }

  /** Resolves when the background writes hold at most `bytes`. */
  async settle(bytes: number): Promise<void> {
    while (this.flyingBytes > bytes) await this.#flying[0]!.done;
  }

  /** The memory that holds the file's byte `offset`, if it is not (surely) written yet. */
  find(offset: number): { readonly bytes: Uint8Array; readonly at: number } | undefined {
    if (offset >= this.#blockStart) return { bytes: this.#block, at: offset - this.#blockStart };
    for (const { offset: start, bytes } of this.#flying) {
      if (offset >= start && offset < start + bytes.length) return { bytes, at: offset - start };
    }
    return undefined;
  }

  /** A copy of everything from `offset` on. Nothing before it may be on its way any more. */
  copyFrom(offset: number): Uint8Array {
    const bytes = new Uint8Array(this.end - offset);
    this.#file.readSync(bytes.subarray(0, Math.max(0, this.#blockStart - offset)), offset);
    for (const { offset: start, bytes: flying } of this.#flying) {
      if (start >= offset) bytes.set(flying, start - offset);
    }
    const skipped = Math.max(0, offset - this.#blockStart);
    const block = this.#block.subarray(skipped, this.#used);
    bytes.set(block, this.#blockStart + skipped - offset);
    return bytes;
  }

  /** The file as it is with everything appended so far: what is not surely written comes from a copy. */
  whole(): SyncFile {
    const file = this.#file;
    const from = this.writtenEnd;
    if (from === this.end) return file;
    const rest = this.copyFrom(from);
    const readSync = (target: Uint8Array, offset: number): number => {
      const inFile = Math.min(target.length, Math.max(0, from - offset));
      const got = inFile === 0 ? 0 : file.readSync(target.subarray(0, inFile), offset);
      if (got < inFile) return got;
      const part = rest.subarray(offset + inFile - from, offset + target.length - from);
      target.set(part, inFile);
      return inFile + part.length;
    };
    return { path: file.path, readSync };
  }

  /** A fresh block; the old one's rest is written before this returns, which bounds memory. */
  #newBlock(size: number): void {
    const rest = this.#block.subarray(this.#given, this.#used);
    try {
      if (rest.length > 0) this.#file.writeSync(rest, this.#blockStart + this.#given);
    } catch (cause) {
      this.#onFailure(cause);
      throw cause;
    }
    this.#blockStart += this.#used;
    this.#used = 0;
    this.#given = 0;
    const wanted = Math.max(size, this.#block.length === 0 ? FIRST_BLOCK_BYTES : BLOCK_BYTES);
    // A write in the background may still be reading the old block's memory.
    if (this.#flying.length > 0 || this.#block.length < wanted) {
      this.#block = Buffer.allocUnsafeSlow(wanted);
    }
  }

  #giveBlock(): void {
    if (this.#given === this.#used) return;
    const bytes = this.#block.subarray(this.#given, this.#used);
    const offset = this.#blockStart + this.#given;
    this.#given = this.#used;
    this.#write(bytes, offset);
  }

  #write(bytes: Uint8Array, offset: number, landed?: () => void): void {
    const done = this.#file.write(bytes, offset).then(
      () => {
        this.#flying.splice(this.#flying.indexOf(flying), 1);
        landed?.();
      },
      (cause) => {
        this.#onFailure(cause);
        throw cause;
      },
    );
    const flying: Flying = { offset, bytes, done };
    this.#flying.push(flying);
    // Who drains hears of a failure; until then the handle is poisoned, not the process killed.
    done.catch(() => undefined);
  }
}
