/**
 * A disk in memory that fails as disks do. Every call that changes something is an operation with a
 * number; at operation `dieAt` the machine stops (half of a write may have happened), or the
 * operation fails with a system error. `images` gives back every state the disk could have kept.
 *
 * Model: a file's contents are durable up to its last sync; later writes to it may each be kept or
 * lost, in any combination worth trying. A name is durable once its folder was synced; a rename is
 * atomic but, like a new name, may be lost without a sync of the folder. Folders are there as long as
 * something is in them.
 */
import { EtlError } from '../../src/core/errors.ts';
import type {
  Disk,
  DiskEntry,
  DiskFile,
  DiskLock,
  FileView,
  RandomReader,
} from '../../src/io/disk.ts';
import { openFileView } from '../../src/io/index.ts';

/** `late`: it is done, but EBUSY is what is heard of it. */
export type Fault = 'die' | 'EIO' | 'ENOSPC' | 'short' | 'EBUSY' | 'late';
/** File contents by path, as found after a restart. */
export type Image = ReadonlyMap<string, Uint8Array>;

/** The same for images with the same files. */
export function fingerprint(image: Image): string {
  return [...image]
    .map(([path, bytes]) => `${path}\0${Buffer.from(bytes).toString('latin1')}`)
    .sort()
    .join('\0');
}

/** Thrown by everything once the machine has stopped. */
export class PowerCut extends Error {}

const SECTOR = 512;

interface Change {
  readonly offset: number;
  /** Absent: a truncation to `offset`. */
  readonly bytes: Uint8Array | undefined;
}

interface Inode {
  readonly id: number;
  now: Uint8Array;
  durable: Uint8Array;
  changes: Change[];
}

export class FaultDisk implements Disk {
  /** Operations so far. */
  operations = 0;
  dieAt: number = Number.POSITIVE_INFINITY;
  /** Operations that fail too, counted from the one at `dieAt`. */
  failAfter: readonly number[] = [];
  fault: Fault = 'die';
  /** Breaks what the disk promises, to see that tests notice. */
  broken: { ignoreSync?: RegExp } = {};
  dead = false;
  readonly #names = new Map<string, Inode>();
  #durableNames = new Map<string, Inode>();
  /** Renames of folders, and the folder that has to be synced for them to last. */
  #moves: { readonly from: string; readonly to: string }[] = [];
  readonly #folders = new Set<string>(['/']);
  readonly #locks = new Set<string>();
  #inodes = 0;

  constructor(image?: Image) {
    for (const [path, bytes] of image ?? []) {
      this.#names.set(path, this.#makeInode(bytes));
      for (let at = path.indexOf('/', 1); at > 0; at = path.indexOf('/', at + 1)) {
        this.#folders.add(path.slice(0, at));
      }
    }
    this.#durableNames = new Map(this.#names);
  }

  async open(path: string, mode: 'read' | 'write' | 'create'): Promise<DiskFile> {
    this.alive();
    let inode = this.#names.get(path);
    if (inode === undefined) {
      if (mode !== 'create') throw failure(path, 'ENOENT');
      this.operate(path, () => undefined);
      inode = this.#makeInode(new Uint8Array(0));
      this.#names.set(path, inode);
    }
    return new FaultFile(this, path, inode);
  }

  async stat(path: string): Promise<{ kind: DiskEntry['kind']; size: number } | undefined> {
    this.alive();
    const inode = this.#names.get(path);
    if (inode) return { kind: 'file', size: inode.now.length };
    return this.#folders.has(path) ? { kind: 'folder', size: 0 } : undefined;
  }

  readTextSync(path: string): string | undefined {
    this.alive();
    const inode = this.#names.get(path);
    return inode && Buffer.from(inode.now).toString();
  }

  async list(path: string): Promise<DiskEntry[]> {
    this.alive();
    const found = new Map<string, DiskEntry['kind']>();
    for (const [kind, names] of [
      ['folder', this.#folders],
      ['file', this.#names.keys()],
    ] as const) {
      for (const name of names) {
        if (!name.startsWith(`${path}/`)) continue;
        const [first, ...rest] = name.slice(path.length + 1).split('/');
        found.set(first!, rest.length > 0 ? 'folder' : kind);
      }
    }
    return [...found].map(([name, kind]) => ({ name, kind }));
  }

  async mkdir(path: string): Promise<void> {
    this.alive();
    for (let at = path.indexOf('/', 1); at > 0; at = path.indexOf('/', at + 1)) {
      this.#folders.add(path.slice(0, at));
    }
    this.#folders.add(path);
  }

  async rename(from: string, to: string): Promise<void> {
    this.operate(from, () => undefined);
    const inode = this.#names.get(from);
    if (inode === undefined && this.#folders.has(from)) return this.#renameFolder(from, to);
    if (inode === undefined) throw failure(from, 'ENOENT');
    this.#names.delete(from);
    this.#names.set(to, inode);
    this.done(to);
  }

  async remove(path: string): Promise<void> {
    this.operate(path, () => undefined);
    this.#names.delete(path);
  }

  async removeFolder(path: string): Promise<void> {
    this.operate(path, () => undefined);
    if (!this.#folders.has(path)) throw failure(path, 'ENOENT');
    if ((await this.list(path)).length > 0) throw failure(path, 'ENOTEMPTY');
    this.#folders.delete(path);
  }

  async syncDir(path: string): Promise<void> {
    this.operate(path, () => undefined);
    for (const move of this.#moves) {
      if (parent(move.to) === path) this.#durableNames = moved(this.#durableNames, move);
    }
    this.#moves = this.#moves.filter(({ to }) => parent(to) !== path);
    const inside = (name: string) =>
      name.startsWith(`${path}/`) && !name.slice(path.length + 1).includes('/');
    for (const name of [...this.#durableNames.keys()])
      if (inside(name)) this.#durableNames.delete(name);
    for (const [name, inode] of this.#names) if (inside(name)) this.#durableNames.set(name, inode);
  }

  async lock(path: string): Promise<DiskLock> {
    if (this.#locks.has(path)) throw new EtlError('LOCKED', 'held', { place: { path } });
    this.#locks.add(path);
    return {
      release: async () => {
        this.#locks.delete(path);
      },
    };
  }

  async identity(path: string): Promise<string> {
    return path;
  }

  alive(): void {
    if (this.dead) throw new PowerCut('the machine is off');
  }

  #makeInode(bytes: Uint8Array): Inode {
    return { id: this.#inodes++, now: bytes.slice(), durable: bytes.slice(), changes: [] };
  }

  #renameFolder(from: string, to: string): void {
    if (this.#folders.has(to) || this.#names.has(to)) throw failure(to, 'ENOTEMPTY');
    const names = moved(this.#names, { from, to });
    this.#names.clear();
    for (const [name, inode] of names) this.#names.set(name, inode);
    for (const folder of [...this.#folders]) {
      if (folder !== from && !folder.startsWith(`${from}/`)) continue;
      this.#folders.delete(folder);
      this.#folders.add(to + folder.slice(from.length));
    }
    this.#moves.push({ from, to });
  }

  /** Counts an operation; `partly` does half of it when this one fails. */
  operate(path: string, partly: () => void): void {
    this.alive();
    const sinceFirst = this.operations++ - this.dieAt;
    if (sinceFirst !== 0 && !this.failAfter.includes(sinceFirst)) return;
    if (this.fault === 'late') return;
    if (this.fault !== 'EIO' && this.fault !== 'EBUSY') partly();
    if (this.fault === 'die') {
      this.dead = true;
      throw new PowerCut('the machine stopped');
    }
    throw failure(path, this.fault === 'short' ? 'ENOSPC' : this.fault);
  }

  /** Called when an operation has been done. */
  done(path: string): void {
    if (this.fault === 'late' && this.operations === this.dieAt + 1) throw failure(path, 'EBUSY');
  }

  /** The names and bytes as a process would see them now: a restart that loses nothing. */
  current(): Image {
    return new Map([...this.#names].map(([path, { now }]) => [path, now.slice()]));
  }

  /** What could be found after a power cut now. */
  *images(): Generator<{ readonly what: string; readonly image: Image }, void, void> {
    const build = (
      names: Map<string, Inode>,
      contents: (inode: Inode, path: string) => Uint8Array,
    ): Image => new Map([...names].map(([path, inode]) => [path, contents(inode, path)]));
    for (const [what, names, contents] of [
      ['all written', this.#names, 'now'],
      ['durable only', this.#durableNames, 'durable'],
      ['all written, old names', this.#durableNames, 'now'],
      ['durable only, new names', this.#names, 'durable'],
    ] as const) {
      yield { what, image: build(names, (inode) => inode[contents].slice()) };
    }
    for (const [path, inode] of this.#names) {
      const { changes } = inode;
      if (changes.length === 0) continue;
      const only = (contents: Uint8Array, others: 'now' | 'durable'): Image =>
        build(this.#names, (other) => (other === inode ? contents : other[others].slice()));
      for (const others of ['now', 'durable'] as const) {
        yield {
          what: `${path} not written, others ${others}`,
          image: only(inode.durable.slice(), others),
        };
        yield {
          what: `only ${path} written, others ${others}`,
          image: only(inode.now.slice(), others),
        };
        const torn = [...changes.slice(0, -1), tear(changes.at(-1)!)];
        yield {
          what: `${path} torn, others ${others}`,
          image: only(replay(inode.durable, torn), others),
        };
        if (changes.length > 1) {
          yield {
            what: `${path} without its first write, others ${others}`,
            image: only(replay(inode.durable, changes.slice(1)), others),
          };
        }
        const first = Math.floor(changes[0]!.offset / SECTOR) * SECTOR;
        for (const from of [first, first + SECTOR]) {
          const lost = inode.now.slice();
          const to = Math.min(lost.length, from + SECTOR);
          if (to >= lost.length) break;
          for (let i = from; i < to; i++) lost[i] = inode.durable[i] ?? 0;
          yield {
            what: `${path} without sector ${from}, others ${others}`,
            image: only(lost, others),
          };
        }
      }
    }
  }
}

class FaultFile implements DiskFile {
  readonly path: string;
  readonly #disk: FaultDisk;
  readonly #inode: Inode;

  constructor(disk: FaultDisk, path: string, inode: Inode) {
    this.#disk = disk;
    this.path = path;
    this.#inode = inode;
  }

  async id(): Promise<string> {
    return String(this.#inode.id);
  }

  async size(): Promise<number> {
    this.#disk.alive();
    return this.#inode.now.length;
  }

  async read(target: Uint8Array, offset: number): Promise<number> {
    return this.readSync(target, offset);
  }

  readSync(target: Uint8Array, offset: number): number {
    this.#disk.alive();
    const part = this.#inode.now.subarray(offset, offset + target.length);
    target.set(part);
    return part.length;
  }

  async write(bytes: Uint8Array, offset: number): Promise<void> {
    this.writeSync(bytes, offset);
  }

  writeSync(bytes: Uint8Array, offset: number): void {
    const change: Change = { offset, bytes: bytes.slice() };
    this.#disk.operate(this.path, () => this.#change(tear(change)));
    this.#change(change);
    this.#disk.done(this.path);
  }

  async sync(): Promise<void> {
    this.syncSync();
  }

  syncSync(): void {
    this.#disk.operate(this.path, () => undefined);
    if (this.#disk.broken.ignoreSync?.test(this.path)) return;
    this.#inode.durable = this.#inode.now.slice();
    this.#inode.changes = [];
    this.#disk.done(this.path);
  }

  async truncate(size: number): Promise<void> {
    this.#disk.operate(this.path, () => undefined);
    this.#change({ offset: size, bytes: undefined });
  }

  reader(): RandomReader {
    const view = (offset: number, length: number): Uint8Array => {
      const target = new Uint8Array(length);
      if (this.readSync(target, offset) < length) throw failure(this.path, 'past the end');
      return target;
    };
    return {
      view,
      text: (offset, length) => Buffer.from(view(offset, length)).toString(),
      close: () => undefined,
    };
  }

  view(): FileView {
    return openFileView(this);
  }

  async close(): Promise<void> {}

  #change(change: Change): void {
    this.#inode.now = replay(this.#inode.now, [change]);
    this.#inode.changes.push(change);
  }
}

function parent(path: string): string {
  return path.slice(0, Math.max(1, path.lastIndexOf('/')));
}

/** The names after the rename of a folder. */
function moved<T>(
  names: ReadonlyMap<string, T>,
  { from, to }: { readonly from: string; readonly to: string },
): Map<string, T> {
  return new Map(
    [...names].map(([name, value]) => [
      name.startsWith(`${from}/`) ? to + name.slice(from.length) : name,
      value,
    ]),
  );
}

function tear({ offset, bytes }: Change): Change {
  return { offset, bytes: bytes?.slice(0, bytes.length >> 1) };
}

function replay(start: Uint8Array, changes: readonly Change[]): Uint8Array {
  let contents = start.slice();
  for (const { offset, bytes } of changes) {
    const length = bytes === undefined ? offset : Math.max(contents.length, offset + bytes.length);
    const next = new Uint8Array(length);
    next.set(contents.subarray(0, length));
    if (bytes) next.set(bytes, offset);
    contents = next;
  }
  return contents;
}

function failure(path: string, code: string): EtlError {
  const cause = Object.assign(new Error(code), { code });
  return new EtlError('IO_ERROR', `cannot go on: ${code}`, { place: { path }, cause });
}
