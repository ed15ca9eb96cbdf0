/**
 * A small file beside the drive, `NAME.open`, that stands there while somebody of ours writes: it says up
 * to where the drive was synced. Whoever finds it knows that the session died, and checks what lies
 * behind (`recovery.ts`). It is durable before the first byte is written, and removed by `close` when
 * everything is synced; that removal may be lost, which costs a check.
 */
import { dirname } from 'node:path';
import type { Disk, DiskFile } from '../../io/index.ts';
import { openIfThere } from '../../io/open-if-there.ts';
import { crc32 } from '../archive/crc32.ts';

const FORM = /^synced=(\d{16}) sum=([0-9a-f]{8})\n/;

/** The mark of a session that is under way. */
export class SessionMark {
  readonly #disk: Disk;
  readonly #file: DiskFile;

  private constructor(disk: Disk, file: DiskFile) {
    this.#disk = disk;
    this.#file = file;
  }

  static path(drive: string): string {
    return `${drive}.open`;
  }

  /** The synced tail of a session that did not close; undefined when there was none. 0 when it cannot be read. */
  static async read(disk: Disk, drive: string): Promise<number | undefined> {
    const file = await openIfThere(disk, SessionMark.path(drive));
    if (file === undefined) return undefined;
    try {
      const bytes = new Uint8Array(64);
      const got = await file.read(bytes, 0);
      const found = FORM.exec(Buffer.from(bytes.subarray(0, got)).toString('latin1'));
      return found && sumOf(found[1]!) === found[2] ? Number(found[1]) : 0;
    } finally {
      await file.close();
    }
  }

  /** Makes the mark durable; none is left when that fails. `synced`: the tail up to which the drive is. */
  static async make(disk: Disk, drive: string, synced: number): Promise<SessionMark> {
    const path = SessionMark.path(drive);
    const isNew = (await disk.stat(path)) === undefined;
    const mark = new SessionMark(disk, await disk.open(path, 'create'));
    try {
      await mark.put(synced);
      await mark.#file.sync();
      await disk.syncDir(dirname(path));
      return mark;
    } catch (error) {
      // One that was there says that a session died, which is still true.
      await (isNew ? mark.remove() : mark.close()).catch(() => undefined);
      throw error;
    }
  }

  /** Says that more is durable. The word itself need not be: an older one only costs a longer check. */
  put(synced: number): Promise<void> {
    const digits = String(synced).padStart(16, '0');
    return this.#file.write(Buffer.from(`synced=${digits} sum=${sumOf(digits)}\n`), 0);
  }

  /** Everything is synced. */
  async remove(): Promise<void> {
    await this.#file.close();
    await this.#disk.remove(this.#file.path);
  }

  /** Leaves the mark for whoever opens next. */
  close(): Promise<void> {
    return this.#file.close();
  }
}

function sumOf(digits: string): string {
  return crc32(Buffer.from(digits), 0).toString(16).padStart(8, '0');
}
