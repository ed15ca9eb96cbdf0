/**
 * The few calls of the system's own C library that Node does not offer: mmap, munmap and flock,
 * through koffi where it is installed. Loaded on first use; its absence is no error, callers have
 * an equal way without it (positioned reads) or a weaker one (locks), and say so.
 */
import { createRequire } from 'node:module';
import { constants } from 'node:os';

export interface Native {
  /** Whether this file has the lock now, another open file holds it, or the file system has no locks. */
  flock(fd: number, operation: number): 'taken' | 'held' | 'unknown';
  /** A read-only shared map of [offset, offset + length); undefined when refused. */
  map(fd: number, offset: number, length: number): NativeMap | undefined;
  /**
   * The same as memory whose lease is the garbage collector's: it is unmapped when neither the buffer
   * nor any view of it can be reached any more, never before. The buffer must not be transferred.
   */
  lease(fd: number, offset: number, length: number): ArrayBuffer | undefined;
}

export interface NativeMap {
  readonly buffer: ArrayBuffer;
  /** Nothing may touch the buffer afterwards. */
  unmap(): void;
}

/** LOCK_EX | LOCK_NB of flock(2), the same number on Linux, macOS and BSD. */
export const LOCK_EXCLUSIVE_NOW: number = 2 | 4;

/** What flock(2) fails with where the file system has none, as Lustre and NFS may. */
const { ENOSYS, ENOLCK, EOPNOTSUPP, ENOTSUP } = constants.errno;
const NO_LOCKS: readonly number[] = [ENOSYS, ENOLCK, EOPNOTSUPP, ENOTSUP];

const PROT_READ = 1;
const MAP_SHARED = 1;
const MAP_FAILED = 0xffff_ffff_ffff_ffffn;

let loaded: Native | undefined | null = null;

/** The native calls, or undefined where koffi or the platform lacks them. */
export function native(): Native | undefined {
  if (loaded === null) loaded = load();
  return loaded;
}

/** Whether maps and flock are to be had here. */
export function nativeSupport(): boolean {
  return native() !== undefined;
}

interface Koffi {
  load(path: string | null): { func(prototype: string): (...values: unknown[]) => unknown };
  view(pointer: unknown, length: number): ArrayBuffer;
  errno(): number;
}

function load(): Native | undefined {
  if (process.platform === 'win32') return undefined;
  try {
    const koffi = createRequire(import.meta.url)('koffi') as Koffi;
    const libc = koffi.load(null);
    const flock = libc.func('int flock(int fd, int operation)');
    const mmap = libc.func(
      'void *mmap(void *address, size_t length, int protection, int flags, int fd, int64_t offset)',
    );
    const munmap = libc.func('int munmap(void *address, size_t length)');
    const mapAt = (fd: number, offset: number, length: number): unknown => {
      const pointer = mmap(null, length, PROT_READ, MAP_SHARED, fd, offset);
      if (pointer === null) return undefined;
      return BigInt.asUintN(64, BigInt(pointer as bigint)) === MAP_FAILED ? undefined : pointer;
    };
    const leases = new FinalizationRegistry<{ pointer: unknown; length: number }>(
      ({ pointer, length }) => munmap(pointer, length),
    );
    return {
      flock(fd, operation) {
        if (flock(fd, operation) === 0) return 'taken';
        return NO_LOCKS.includes(koffi.errno()) ? 'unknown' : 'held';
      },
      map(fd, offset, length) {
        const pointer = mapAt(fd, offset, length);
        if (pointer === undefined) return undefined;
        const buffer = koffi.view(pointer, length);
        return {
          buffer,
          unmap() {
            detach(buffer);
            munmap(pointer, length);
          },
        };
      },
      lease(fd, offset, length) {
        const pointer = mapAt(fd, offset, length);
        if (pointer === undefined) return undefined;
        const buffer = koffi.view(pointer, length);
        refuseTransfer(buffer);
        leases.register(buffer, { pointer, length });
        return buffer;
      },
    };
  } catch {
    return undefined;
  }
}

/**
 * Makes the buffer empty, so that V8 stops counting it. Node 20 has no way that works everywhere;
 * there the map's owner, the only one who ever sees the buffer, drops it before unmapping.
 */
function detach(buffer: ArrayBuffer): void {
  const { transfer } = buffer as { transfer?: (length: number) => ArrayBuffer };
  transfer?.call(buffer, 0);
}

/** A transfer would leave the memory with an owner that the lease does not know of. */
function refuseTransfer(buffer: ArrayBuffer): void {
  const value = (): never => {
    throw new TypeError('mapped memory cannot be transferred; copy it');
  };
  Object.defineProperties(buffer, { transfer: { value }, transferToFixedLength: { value } });
}
