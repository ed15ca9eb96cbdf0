/**
 * Writes records behind the tail of a drive: the only place that adds bytes to one.
 *
 * One change at a time: `DriveState.exclusively`. What is short is written at once, without leaving the turn
 * (a call of the thread pool costs more than the write, and would need a copy of what is staged); a long
 * payload, asynchronously. Many short ones let others have a turn in between.
 * The index learns of an entry after its bytes were written, so readers of this process see whole entries.
 *
 * Durability: a write reaches the operating system before its promise settles, so the end of the process
 * loses nothing; a power cut may lose what came after the last `sync`. Records are whole or gone: see
 * recovery.ts. After a failed write or sync every further one is POISONED. What a failed write (a full
 * disk) left behind the tail is cut on closing; after a failed sync nothing is known, and the mark stays.
 */
import { dirname } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { EtlError } from '../../core/errors.ts';
import { iterateUntil } from '../../core/iterate.ts';
import type { Disk, DiskFile } from '../../io/index.ts';
import {
  alignPayload,
  type DriveEntry,
  type DriveTable,
  METADATA_BYTES,
} from '../../kernels/index.ts';
import { crc32 } from '../archive/crc32.ts';
import { MAX_OFFSET } from './chain.ts';
import { checkBytes } from './check-bytes.ts';
import { EntryMetadata } from './entry-metadata.ts';
import { PieceBuffer } from './piece-buffer.ts';
import { SessionMark } from './session-mark.ts';

/** A single payload up to this many bytes is written without leaving the turn. */
const AT_ONCE = 1 << 18;
/** What is written in one turn before others have one. */
const TURN_BYTES = 4 << 20;

/** Records to be written, all by key or all by hash; without a payload one deletes. */
export type Changes = readonly DriveEntry[] | readonly HashedChange[];
interface HashedChange {
  readonly low: number;
  readonly high: number;
  readonly payload?: Uint8Array | undefined;
}

/** Told around every change of the index. */
export interface ChangeHooks {
  before(): void;
  after(tail: number): void;
}

/** What a stream writes: pieces of a payload, in order. */
export type ByteSource = Iterable<Uint8Array> | AsyncIterable<Uint8Array>;

export class Appender {
  readonly #disk: Disk;
  readonly #file: DiskFile;
  readonly #table: DriveTable;
  readonly #hooks: ChangeHooks;
  #tail: number;
  #synced: number;
  #mark: SessionMark | undefined;
  /** `torn`: by a write or cut behind the tail; all up to there is what was written. */
  #poison: { readonly cause: unknown; readonly torn: boolean } | undefined;
  #closed = false;

  /** `synced`: the tail up to which the file is known to be durable. */
  constructor(
    disk: Disk,
    file: DiskFile,
    table: DriveTable,
    at: { readonly tail: number; readonly synced: number },
    hooks: ChangeHooks,
  ) {
    this.#disk = disk;
    this.#file = file;
    this.#table = table;
    this.#tail = at.tail;
    this.#synced = at.synced;
    this.#hooks = hooks;
  }

  get tail(): number {
    return this.#tail;
  }

  /** Writes records, in as few calls as their sizes allow; answers the tail. */
  append(changes: Changes): number | Promise<number> {
    this.#check();
    if (changes.length === 0) return this.#tail;
    if (this.#mark === undefined) return this.begin().then(() => this.append(changes));
    return this.#appendFrom(changes, 0);
  }

  /** Writes one record from a stream, in bounded memory. */
  async appendStream(
    low: number,
    high: number,
    source: ByteSource,
    signal?: AbortSignal,
  ): Promise<number> {
    this.#check();
    if (this.#mark === undefined) await this.begin();
    const { start, length, sum, rest, written } = await this.#writePieces(source, signal);
    const metadata = EntryMetadata.of(low, high, this.#tail, sum).serialize();
    const end = start + length + METADATA_BYTES;
    await this.#write(Buffer.concat([rest, metadata]), this.#tail + written);
    this.#take(end, () => this.#table.set(low, high, end - METADATA_BYTES));
    return end;
  }

  /** Makes everything written durable. */
  async sync(): Promise<void> {
    this.#check();
    if (this.#mark === undefined || this.#synced === this.#tail) return;
    await this.#poisoning(async () => {
      await this.#file.sync();
      this.#synced = this.#tail;
      await this.#mark!.put(this.#synced);
    });
  }

  /** Syncs and ends the session. One that cannot be made whole keeps its mark, for the next to recover. */
  async close(): Promise<void> {
    if (this.#closed) return;
    try {
      if (this.#poison === undefined) await this.sync();
    } finally {
      this.#closed = true;
      if (this.#poison === undefined || (await this.#cutTorn())) await this.#mark?.remove();
      else await this.#mark?.close();
    }
  }

  /** Ends the session without syncing, as if the process had ended. */
  async abandon(): Promise<void> {
    this.#closed = true;
    await this.#mark?.close();
  }

  /** Makes everything durable and takes the mark away: the file is about to be replaced. */
  async settle(): Promise<void> {
    await this.#poisoning(async () => {
      await this.#file.sync();
      await this.#mark?.remove();
      this.#mark = undefined;
      await this.#disk.syncDir(dirname(this.#file.path));
    });
  }

  /** Refuses every further write. */
  poison(cause: unknown, torn = false): void {
    this.#poison ??= { cause, torn };
  }

  /** Puts the mark of a session there; what others wrote is made durable first. */
  async begin(): Promise<void> {
    await this.#poisoning(async () => {
      await this.#file.sync();
      this.#mark = await SessionMark.make(this.#disk, this.#file.path, this.#synced);
    });
  }

  #appendFrom(changes: Changes, from: number): number | Promise<number> {
    const turnEnd = this.#tail + TURN_BYTES;
    for (let at = from; at < changes.length; ) {
      this.#table.unstage();
      const staged = stage(this.#table, changes, at);
      const next = Math.max(staged, at + 1);
      let pause: Promise<void> | undefined;
      if (staged === at) pause = this.#appendLong(changes[at]!);
      else this.#flushStaged();
      if (this.#tail >= turnEnd && next < changes.length) pause ??= turn();
      if (pause !== undefined) return pause.then(() => this.#appendFrom(changes, next));
      at = next;
    }
    return this.#tail;
  }

  /** Writes what is staged, in this turn: in the next a read may have used the table's memory. */
  #flushStaged(): void {
    const bytes = this.#table.layOut(this.#tail);
    this.#writeAtOnce(bytes, this.#tail);
    this.#take(this.#tail + bytes.length, () => this.#table.commit());
  }

  #appendLong(change: DriveEntry | HashedChange): Promise<void> | undefined {
    const { low, high, payload } = this.#hashed(change);
    const tail = this.#tail;
    const start = alignPayload(tail);
    const end = start + payload!.length;
    if (end > MAX_OFFSET) throw new EtlError('INVALID_ARGUMENT', 'the drive has no room for more');
    const metadata = EntryMetadata.of(low, high, tail, crc32(payload!, 0)).serialize();
    const done = () => this.#take(end + METADATA_BYTES, () => this.#table.set(low, high, end));
    const padding = new Uint8Array(start - tail);
    if (payload!.length <= AT_ONCE) {
      this.#writeAtOnce(Buffer.concat([padding, payload!, metadata]), tail);
      done();
      return undefined;
    }
    if (padding.length > 0) this.#writeAtOnce(padding, tail);
    return this.#write(payload!, start).then(() => {
      this.#writeAtOnce(metadata, end);
      done();
    });
  }

  /** Writes padding and payload but for a rest; when the source fails, nothing of it stays. */
  async #writePieces(source: ByteSource, signal: AbortSignal | undefined) {
    const start = alignPayload(this.#tail);
    const pieces = new PieceBuffer(start - this.#tail);
    let written = 0;
    let length = 0;
    let sum = 0;
    let single = 0;
    try {
      for await (const piece of signal ? iterateUntil(source, signal) : source) {
        checkBytes(piece);
        sum = crc32(piece, sum);
        length += piece.length;
        single |= piece[0] ?? 0;
        for (const full of pieces.add(piece)) {
          await this.#write(full, this.#tail + written);
          written += full.length;
        }
      }
      // A source may end because it was stopped.
      signal?.throwIfAborted();
      checkLength(length, single);
    } catch (error) {
      if (written > 0 && this.#poison === undefined) {
        await this.#poisoning(() => this.#file.truncate(this.#tail), true);
      }
      if (signal?.aborted && error === signal.reason) {
        throw new EtlError('ABORTED', 'the write was stopped', { cause: error });
      }
      throw error;
    }
    return { start, length, sum, written, rest: pieces.rest() };
  }

  #hashed(change: DriveEntry | HashedChange): HashedChange {
    if ('low' in change) return change;
    this.#table.hashKey(change[0]);
    const { keyHash } = this.#table;
    return { low: keyHash[0]!, high: keyHash[1]!, payload: change[1] };
  }

  /** What was written becomes part of the drive. */
  #take(tail: number, index: () => void): void {
    this.#hooks.before();
    index();
    this.#tail = tail;
    this.#hooks.after(tail);
  }

  #writeAtOnce(bytes: Uint8Array, offset: number): void {
    try {
      this.#file.writeSync(bytes, offset);
    } catch (cause) {
      this.poison(cause, true);
      throw cause;
    }
  }

  #write(bytes: Uint8Array, offset: number): Promise<void> {
    return this.#poisoning(() => this.#file.write(bytes, offset), true);
  }

  async #poisoning(work: () => Promise<void>, torn = false): Promise<void> {
    try {
      await work();
    } catch (cause) {
      this.poison(cause, torn);
      throw cause;
    }
  }

  /** Cuts what a failed write left and syncs what was written before; false where that is not to be had. */
  async #cutTorn(): Promise<boolean> {
    if (this.#poison?.torn !== true) return false;
    try {
      await this.#file.truncate(this.#tail);
      await this.#file.sync();
      return true;
    } catch {
      return false;
    }
  }

  #check(): void {
    const place = { path: this.#file.path };
    if (this.#closed) throw new EtlError('CLOSED', 'the drive is closed', { place });
    if (this.#poison === undefined) return;
    throw new EtlError('POISONED', 'an earlier write failed', {
      place,
      cause: this.#poison.cause,
    });
  }
}

/** Throws INVALID_ARGUMENT for what is no bytes, and for what the format has no room for. */
export function checkPayload(payload: Uint8Array): void {
  checkBytes(payload);
  if (payload.length <= 1) checkLength(payload.length, payload[0]);
}

/** There is no room for nothing, and for the mark of a deletion. */
function checkLength(length: number, first: number | undefined): void {
  if (length > 1) return;
  if (length === 0) throw new EtlError('INVALID_ARGUMENT', 'a payload has at least one byte');
  if (first === 0) {
    throw new EtlError(
      'INVALID_ARGUMENT',
      'a payload of a single zero byte means a deleted entry in this format; write it otherwise',
    );
  }
}

/** Stages changes from one on; the ordinal of the first that is not. */
function stage(table: DriveTable, changes: Changes, from: number): number {
  if (!areHashed(changes)) return table.stage(changes, from);
  let at = from;
  for (; at < changes.length; at++) {
    const { low, high, payload } = changes[at]!;
    if (!table.stageHash(low, high, payload)) break;
  }
  return at;
}

function areHashed(changes: Changes): changes is readonly HashedChange[] {
  return 'low' in changes[0]!;
}
