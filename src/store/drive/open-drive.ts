/**
 * Opening the file of a drive: what it holds is found (`recovery.ts`), and a writer cuts what is behind.
 * Bytes are put beside first, as `NAME.cut-TAIL`, unless they are the unfinished write of a session of ours. A file without one
 * whole record is left as it is, unless a session of ours died at its first.
 */
import { dirname } from 'node:path';
import { EtlError } from '../../core/errors.ts';
import type { Disk, DiskFile, FileView } from '../../io/index.ts';
import { type DriveTable, sharedKernel } from '../../kernels/index.ts';
import type { DriveRecovery } from './contracts.ts';
import { findEnd } from './recovery.ts';
import { SessionMark } from './session-mark.ts';

const COPY_BYTES = 1 << 20;

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

/** Errors: NOT_A_DRIVE, IO_ERROR. */
export async function openDrive(
  { disk, path, mapFrom }: DriveFile,
  mode: 'read' | 'write' | 'create',
): Promise<OpenedDrive> {
  const isNew = mode === 'create' && (await disk.stat(path)) === undefined;
  const file = await disk.open(path, mode);
  try {
    if (isNew) await disk.syncDir(dirname(path));
    const size = await file.size();
    const synced = await SessionMark.read(disk, path);
    const table = sharedKernel().createDriveTable();
    const whole = viewOf(file, size, mapFrom);
    const { tail, damaged, dropped } = await findEnd(file, whole, table, size, synced);
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
    const view = tail === size ? whole : viewOf(file, tail, mapFrom);
    return { file, view, table, tail, synced, recovery };
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** A view of the first `end` bytes, in the way that they are to be read. */
export function viewOf(file: DiskFile, end: number, mapFrom: number): FileView {
  const view = file.view(end < mapFrom ? 'read' : 'map');
  view.extend(end);
  return view;
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
