/**
 * The dead-letter file: one JSON object a line for every record set aside. Written at once and in
 * order, appended to what earlier runs left; `sync` and `close` make it durable. A reject without a name for
 * its bytes is of no use, so they are in it: as text where they are UTF-8, else as base64.
 *
 * A device or a pipe is written to as it is, and what this process has open already, by a path such as `/dev/stderr`,
 * where it stands; that stays open. A pipe is given `PATIENCE_MS` to have a reader, and to have room.
 */
import {
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  openSync,
  readSync,
  statSync,
  writeSync,
} from 'node:fs';
import { EtlError } from '../core/errors.ts';
import type { Reject } from '../core/reject.ts';
import { ownDescriptor } from '../io/own-descriptor.ts';

const PATIENCE_MS = 5_000;
/** Between two tries. */
const PAUSE_MS = 5;

export class DeadLetterFile {
  readonly path: string;
  count = 0;
  readonly #own: number | undefined;
  #descriptor: number | undefined;
  #synced = 0;

  /** Nothing is made before the first reject. */
  constructor(path: string) {
    this.path = path;
    this.#own = ownDescriptor(path);
  }

  /** Errors: IO_ERROR naming the file. */
  add(reject: Reject, stage?: string): void {
    this.count++;
    this.#guard(() => {
      this.#descriptor ??= this.#own ?? openBehindLines(this.path);
      const bytes = Buffer.from(`${JSON.stringify(describeReject(reject, stage))}\n`);
      for (let at = 0; at < bytes.length; ) {
        at += patiently(() => writeSync(this.#descriptor!, bytes, at));
      }
    });
  }

  /** Makes durable what was added; costs nothing when nothing was. Errors: IO_ERROR. */
  sync(): void {
    const descriptor = this.#descriptor;
    if (descriptor === undefined || this.#synced === this.count) return;
    this.#guard(() => syncFile(descriptor));
    this.#synced = this.count;
  }

  /** Syncs and closes; again is harmless. Errors: IO_ERROR naming the file. */
  close(): void {
    const descriptor = this.#descriptor;
    if (descriptor === undefined) return;
    this.#descriptor = undefined;
    this.#guard(() => {
      try {
        syncFile(descriptor);
      } finally {
        if (descriptor !== this.#own) closeSync(descriptor);
      }
    });
  }

  #guard(work: () => void): void {
    try {
      work();
    } catch (cause) {
      const place = { path: this.path };
      throw new EtlError('IO_ERROR', 'rejects cannot be written', { place, cause });
    }
  }
}

/** To append; a last line that a full disk or a crash tore, or an editor left without its end, is ended. */
function openBehindLines(path: string): number {
  const there = statSync(path, { throwIfNoEntry: false });
  if (there?.isFile() === false) {
    const open = () => openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
    return there.isFIFO() ? patiently(open) : open();
  }
  const descriptor = openSync(path, 'a+');
  try {
    const { size } = fstatSync(descriptor);
    const last = Buffer.from('\n');
    if (size > 0) readSync(descriptor, last, 0, 1, size - 1);
    if (last[0] !== 10) writeSync(descriptor, '\n');
    return descriptor;
  } catch (error) {
    closeSync(descriptor);
    throw error;
  }
}

/** What is no file has nothing to be synced. */
function syncFile(descriptor: number): void {
  if (fstatSync(descriptor).isFile()) fsyncSync(descriptor);
}

/** Tries again, without leaving the turn, where a pipe has no reader yet or is full. Errors: those of the work. */
function patiently(work: () => number): number {
  const until = performance.now() + PATIENCE_MS;
  for (;;) {
    try {
      return work();
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if ((code !== 'EAGAIN' && code !== 'ENXIO') || performance.now() > until) throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, PAUSE_MS);
    }
  }
}

/** A line of the file, as an object. */
export function describeReject(
  { code, reason, place, bytes }: Reject,
  stage?: string,
): Record<string, unknown> {
  return {
    stage,
    source: place.path ?? place.url,
    line: place.line,
    column: place.column,
    offset: place.offset,
    ordinal: place.ordinal,
    code,
    reason,
    ...describeBytes(bytes),
  };
}

function describeBytes(bytes: Uint8Array): { raw: string } | { rawBase64: string } {
  try {
    const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
    return { raw: decoder.decode(bytes) };
  } catch {
    return { rawBase64: Buffer.from(bytes).toString('base64') };
  }
}
