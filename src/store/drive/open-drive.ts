/**
 * Opening the file of a drive: what it holds is found (`recovery.ts`), and a writer cuts what is behind.
 * Bytes are put beside first, as `NAME.cut-TAIL`, unless they are the unfinished write of a session of ours. A file without one
 * whole record is left as it is, unless a session of ours died at its first.
 */
import { dirname } from 'node:path';
import { EtlError, isEtlError } from '../../core/errors.ts';
import type { Disk, DiskFile, FileView } from '../../io/index.ts';
import { type DriveTable, sharedKernel } from '../../kernels/index.ts';
import { viewOf } from './chain.ts';
import type { DriveRecovery } from './contracts.ts';
import { findEnd } from './recovery.ts';
import { SessionMark } from './session-mark.ts';

const COPY_BYTES = 1 << 20;
/** How often a file is looked at that is cut each time. */
const LOOKS = 100;

/** An open file and what is in it. */
export interface OpenedDrive {
  readonly file: DiskFile;
  /** Of the file up to the tail. */
  readonly view: FileView;
  readonly table: DriveTable;
  readonly tail: number;
  /** What a session that died knew to be durable. */
  readonly synced: number | undefined;
  readonly recovery: DriveRecovery;
}

/** Where a drive is, and how it is read. */
export interface DriveFile {
  readonly disk: Disk;
  readonly path: string;
  /** As in `DataStoreOptions`. */
  readonly mapFrom: number;
}

/** Errors: NOT_A_DRIVE, IO_ERROR, INPUT_CHANGED for a file that is cut again and again. */
export async function openDrive(
  { disk, path, mapFrom }: DriveFile,
  mode: 'read' | 'write' | 'create',
): Promise<OpenedDrive> {
  const isNew = mode === 'create' && (await disk.stat(path)) === undefined;
  const file = await disk.open(path, mode);
  try {
    if (isNew) await disk.syncDir(dirname(path));
    const { size, synced, table, found } = await upToEnd(file, async (size) => {
      const synced = await SessionMark.read(disk, path);
      const table = sharedKernel().createDriveTable();
      return { size, synced, table, found: await findEnd(file, table, size, synced) };
    });
    const { tail, damaged, dropped } = found;
    if (tail === 0 && size > 0 && synced === undefined) {
      throw new EtlError('NOT_A_DRIVE', 'holds no whole record', { place: { path } });
    }
    let recovery: DriveRecovery = { cutBytes: size - tail, ...(damaged ? { damaged } : {}) };
    if (mode !== 'read' && tail < size) {
      if (synced === undefined || dropped)
        recovery = { ...recovery, cutPath: await keep(disk, file, tail, size) };
      await file.truncate(tail);
      await file.sync();
    }
    return { file, view: viewOf(file, tail, mapFrom), table, tail, synced, recovery };
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** What is found in a file up to its end; looked for anew where a writer has cut an unfinished record meanwhile. */
export async function upToEnd<R>(
  file: DiskFile,
  find: (size: number) => R | Promise<R>,
): Promise<R> {
  for (let looks = 1; ; looks++) {
    try {
      return await find(await file.size());
    } catch (error) {
      if (looks === LOOKS || !isEtlError(error, 'INPUT_CHANGED')) throw error;
    }
  }
}

/** Puts the bytes from `tail` on into a file of their own, durably. */
async function keep(disk: Disk, file: DiskFile, tail: number, size: number): Promise<string> {
  const path = `${file.path}.cut-${tail}`;
  const target = await disk.open(path, 'create');
  try {
    await target.truncate(0);
    for (let at = tail; at < size; at += COPY_BYTES) {
      const piece = new Uint8Array(Math.min(COPY_BYTES, size - at));
      await file.read(piece, at);
      await target.write(piece, at - tail);
    }
    await target.sync();
  } finally {
    await target.close();
  }
  await disk.syncDir(dirname(path));
  return path;
}
