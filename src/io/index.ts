/** The disk: interfaces, the machine's own, locks and maps. */
export { decodeText } from './decode-text.ts';
export type {
  Disk,
  DiskEntry,
  DiskFile,
  DiskLock,
  DiskStat,
  FileView,
  OpenMode,
  RandomReader,
} from './disk.ts';
export { openFileView, roomFor, wasCut } from './file-view.ts';
export { type LockOptions, takeLock } from './lock.ts';
export { type MapOptions, openReader } from './map.ts';
export { nativeSupport } from './native.ts';
export { createNodeDisk, type NodeDiskOptions, nodeDisk } from './node-disk.ts';
