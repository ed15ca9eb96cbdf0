/**
 * The dead-letter file: one JSON object a line for every record set aside. Written at once and in
 * order, appended to what earlier runs left; `sync` and `close` make it durable. A reject without a name for
 * its bytes is of no use, so they are in it: as text where they are UTF-8, else as base64.
 */
import { closeSync, fstatSync, fsyncSync, openSync, readSync, writeSync } from 'node:fs';
import { EtlError } from '../core/errors.ts';
import type { Reject } from '../core/reject.ts';

export class DeadLetterFile {
  readonly path: string;
  count = 0;
  #descriptor: number | undefined;
  #synced = 0;

  /** Nothing is made before the first reject. */
  constructor(path: string) {
    this.path = path;
  }

  /** Errors: IO_ERROR naming the file. */
  add(reject: Reject, stage?: string): void {
    this.count++;
    this.#guard(() => {
      this.#descriptor ??= openBehindLines(this.path);
      const bytes = Buffer.from(`${JSON.stringify(describeReject(reject, stage))}\n`);
      for (let at = 0; at < bytes.length; ) at += writeSync(this.#descriptor, bytes, at);
    });
  }

  /** Makes durable what was added; costs nothing when nothing was. Errors: IO_ERROR. */
  sync(): void {
    const descriptor = this.#descriptor;
    if (descriptor === undefined || this.#synced === this.count) return;
    this.#guard(() => fsyncSync(descriptor));
    this.#synced = this.count;
  }

  /** Syncs and closes; again is harmless. Errors: IO_ERROR naming the file. */
  close(): void {
    const descriptor = this.#descriptor;
    if (descriptor === undefined) return;
    this.#descriptor = undefined;
    this.#guard(() => {
      try {
        fsyncSync(descriptor);
      } finally {
        closeSync(descriptor);
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
