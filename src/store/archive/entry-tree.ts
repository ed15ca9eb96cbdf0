/**
 * The names in an archive, held against what an archive could do with them: leave the folder it is
 * unpacked into, or put two contents at one place. Nothing is written before all names are here.
 *
 * Names that differ only in case or in Unicode composition are one name on many file systems, so they
 * are refused. Names of collections and of document files may differ so (their ids may), where the file
 * system keeps them apart.
 */
import { EtlError } from '../../core/errors.ts';
import type { DiskEntry } from '../../io/disk.ts';
import type { ArchiveEntry } from './directory.ts';

interface Node {
  readonly name: string;
  readonly kind: 'file' | 'folder';
  /** The archive has an entry for it; folders may only be implied. */
  named: boolean;
}

export class EntryTree {
  readonly files: Map<string, ArchiveEntry> = new Map();
  /** Folders by path, `''` for the root, with what is in them. */
  readonly folders: Map<string, DiskEntry[]> = new Map([['', []]]);
  readonly #path: string;
  readonly #keepsCase: boolean;
  readonly #nodes: Map<string, Node> = new Map();

  /**
   * Takes the names of the archive at `path`. `keepsCase`: the file system keeps names apart that
   * differ in case. Errors: UNSAFE_ARCHIVE naming the entry.
   */
  constructor(
    path: string,
    entries: Iterable<ArchiveEntry>,
    options: { readonly keepsCase?: boolean } = {},
  ) {
    this.#path = path;
    this.#keepsCase = options.keepsCase ?? true;
    for (const entry of entries) this.#add(entry);
  }

  /** Folder paths, each after the one it is in. */
  folderPaths(): string[] {
    return [...this.folders.keys()].filter((path) => path !== '');
  }

  #add(entry: ArchiveEntry): void {
    const wrong = nameFault(entry.name);
    if (wrong !== undefined) throw this.#refuse(entry.name, wrong);
    const name = entry.kind === 'folder' ? entry.name.slice(0, -1) : entry.name;
    for (let at = name.indexOf('/'); at > 0; at = name.indexOf('/', at + 1)) {
      this.#place(name.slice(0, at), 'folder', false);
    }
    this.#place(name, entry.kind, true);
    if (entry.kind === 'file') this.files.set(name, entry);
  }

  #place(name: string, kind: 'file' | 'folder', named: boolean): void {
    const key = this.#key(name);
    const there = this.#nodes.get(key);
    if (there === undefined) {
      this.#nodes.set(key, { name, kind, named });
      const slash = name.lastIndexOf('/');
      const folder = slash < 0 ? '' : name.slice(0, slash);
      this.folders.get(folder)!.push({ name: name.slice(slash + 1), kind });
      if (kind === 'folder') this.folders.set(name, []);
      return;
    }
    if (there.kind !== kind) throw this.#refuse(name, 'is both a file and a folder');
    if (there.name !== name) {
      throw this.#refuse(name, `is one name with ${JSON.stringify(there.name)} on many systems`);
    }
    if (named && there.named) throw this.#refuse(name, 'comes twice');
    there.named ||= named;
  }

  #key(name: string): string {
    if (!this.#keepsCase) return fold(name);
    const [top, collection, kind, ...rest] = name.split('/');
    if (top !== 'collections' || collection === undefined) return fold(name);
    const tail = kind === 'docs' ? [kind, ...rest] : [kind ?? '', ...rest].map(fold);
    return [top, collection, ...tail].join('/');
  }

  #refuse(name: string, why: string): EtlError {
    return new EtlError('UNSAFE_ARCHIVE', `the entry ${JSON.stringify(name)} ${why}`, {
      place: { path: this.#path },
    });
  }
}

function fold(name: string): string {
  return name.normalize('NFC').toLowerCase();
}

/** Why a name may not be unpacked anywhere; undefined for one that may. */
function nameFault(name: string): string | undefined {
  if (name.includes('\0')) return 'has a NUL in its name';
  if (name.includes('\\')) return 'has a backslash in its name';
  if (name.startsWith('/')) return 'has an absolute path';
  if (/^[a-z]:/i.test(name)) return 'names a drive';
  const parts = (name.endsWith('/') ? name.slice(0, -1) : name).split('/');
  if (parts.includes('..')) return 'leads out of the folder';
  if (parts.some((part) => part === '' || part === '.')) return 'has an empty part in its path';
  return undefined;
}
