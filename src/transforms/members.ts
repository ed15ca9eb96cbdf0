/**
 * Walks the members of objects in lines that have been validated, without making objects: what
 * transforms need that change some fields and leave every other byte as it was. Nothing here checks
 * JSON; on bytes that are no JSON the answers mean nothing, but come.
 */

import { EtlError } from '../core/errors.ts';
import { formatPath, type Path } from '../core/path.ts';
import { decodeText } from '../kernels/twin/text.ts';

/** Bytes that structure is made of. */
export const QUOTE = 0x22;
export const COMMA = 0x2c;
export const OPEN_BRACE = 0x7b;
export const CLOSE_BRACE = 0x7d;
export const OPEN_BRACKET = 0x5b;
export const CLOSE_BRACKET = 0x5d;
const BACKSLASH = 0x5c;

/** The first byte at or after `at` that is no white space. */
export function skipSpace(bytes: Uint8Array, at: number): number {
  let next = at;
  while (bytes[next]! <= 0x20) next++;
  return next;
}

/** One past the string whose opening quote is at `at`. */
export function skipString(bytes: Uint8Array, at: number): number {
  for (let next = at + 1; ; next++) {
    const byte = bytes[next];
    if (byte === QUOTE || byte === undefined) return next + 1;
    if (byte === BACKSLASH) next++;
  }
}

/** One past the value that begins at `at`. */
export function skipValue(bytes: Uint8Array, at: number): number {
  const first = bytes[at]!;
  if (first === QUOTE) return skipString(bytes, at);
  let next = at;
  if (first !== OPEN_BRACE && first !== OPEN_BRACKET) {
    for (; ; next++) {
      const byte = bytes[next];
      if (byte === undefined || byte <= 0x20 || byte === COMMA) return next;
      if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) return next;
    }
  }
  let depth = 0;
  for (; next < bytes.length; next++) {
    const byte = bytes[next]!;
    if (byte === QUOTE) next = skipString(bytes, next) - 1;
    else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) depth++;
    else if ((byte === CLOSE_BRACE || byte === CLOSE_BRACKET) && --depth === 0) return next + 1;
  }
  return next;
}

/** The members of the object whose `{` is at `at`, in order, duplicates included. */
export class Members {
  /** The key with its quotes. */
  keyStart = 0;
  keyEnd = 0;
  valueStart = 0;
  valueEnd = 0;
  readonly bytes: Uint8Array;
  #at: number;

  constructor(bytes: Uint8Array, at: number) {
    this.bytes = bytes;
    this.#at = skipSpace(bytes, at + 1);
  }

  /** Goes to the next member; false behind the last. */
  next(): boolean {
    const { bytes } = this;
    let at = this.#at;
    if (bytes[at] !== QUOTE) return false;
    this.keyStart = at;
    this.keyEnd = skipString(bytes, at);
    at = skipSpace(bytes, this.keyEnd) + 1;
    this.valueStart = skipSpace(bytes, at);
    this.valueEnd = skipValue(bytes, this.valueStart);
    at = skipSpace(bytes, this.valueEnd);
    this.#at = bytes[at] === COMMA ? skipSpace(bytes, at + 1) : at;
    return true;
  }
}

/** A range of bytes; `end` is one past the last. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** The value of the last member of this name in the object whose `{` is at `at`. */
export function findMember(
  bytes: Uint8Array,
  at: number,
  text: string,
  name: Uint8Array,
): Span | undefined {
  const members = new Members(bytes, at);
  let found: Span | undefined;
  while (members.next()) {
    if (!isNamed(bytes, members.keyStart, members.keyEnd, text, name)) continue;
    found = { start: members.valueStart, end: members.valueEnd };
  }
  return found;
}

/** Calls `visit` with the place of each element of the array whose `[` is at `at`. */
export function eachElement(
  bytes: Uint8Array,
  at: number,
  visit: (start: number, end: number) => void,
): void {
  let start = skipSpace(bytes, at + 1);
  while (bytes[start] !== CLOSE_BRACKET) {
    const end = skipValue(bytes, start);
    if (end === start) return;
    visit(start, end);
    start = skipSpace(bytes, end);
    if (bytes[start] === COMMA) start = skipSpace(bytes, start + 1);
  }
}

/** The text of the string [from, to), quotes included in the range. */
export function stringText(bytes: Uint8Array, from: number, to: number): string {
  for (let at = from; at < to; at++) {
    if (bytes[at] === BACKSLASH) return JSON.parse(decodeText(bytes, from, to)) as string;
  }
  return decodeText(bytes, from + 1, to - 1);
}

/** What is to be done at some paths, as a tree that keys in bytes are looked up in. */
export class PathTree<Action> {
  action: Action | undefined;
  readonly #byLength: PathTree<Action>[][] = [];
  readonly #byText = new Map<string, PathTree<Action>>();
  readonly #name: Uint8Array;

  constructor(name = '') {
    this.#name = new TextEncoder().encode(name);
  }

  /** True where paths go on below. */
  get isInner(): boolean {
    return this.#byText.size > 0;
  }

  /** The node at a path, made if missing. */
  at(path: Path): PathTree<Action> {
    let node: PathTree<Action> = this;
    for (const step of path) {
      let next = node.#byText.get(step);
      if (next === undefined) {
        next = new PathTree<Action>(step);
        node.#byText.set(step, next);
        const { length } = next.#name;
        node.#byLength[length] = [...(node.#byLength[length] ?? []), next];
      }
      node = next;
    }
    return node;
  }

  /** Sets the action at a path. Errors: INVALID_ARGUMENT when there is one. */
  set(path: Path, action: Action): void {
    const node = this.at(path);
    if (node.action !== undefined) {
      throw new EtlError('INVALID_ARGUMENT', `the path ${formatPath(path)} is given twice`);
    }
    node.action = action;
  }

  /** The node of a key; the range includes the key's quotes. */
  find(bytes: Uint8Array, keyStart: number, keyEnd: number): PathTree<Action> | undefined {
    const from = keyStart + 1;
    const length = keyEnd - 1 - from;
    const likely = this.#byLength[length];
    if (likely !== undefined) {
      for (const node of likely) if (isSame(bytes, from, node.#name)) return node;
    }
    for (let at = from; at < keyEnd; at++) {
      if (bytes[at] === BACKSLASH) return this.#byText.get(stringText(bytes, keyStart, keyEnd));
    }
    return undefined;
  }
}

/**
 * Calls `visit` for every member that has an action, in the order of the bytes: those of the object
 * at `at`, of objects below it, and of the objects in arrays. `objectStart` is the `{` it stands in.
 */
export function visitMembers<Action>(
  bytes: Uint8Array,
  at: number,
  tree: PathTree<Action>,
  visit: (action: Action, member: Members, objectStart: number) => void,
): void {
  const members = new Members(bytes, at);
  while (members.next()) {
    const found = tree.find(bytes, members.keyStart, members.keyEnd);
    if (found === undefined) continue;
    if (found.action !== undefined) visit(found.action, members, at);
    if (!found.isInner) continue;
    const { valueStart } = members;
    if (bytes[valueStart] === OPEN_BRACE) visitMembers(bytes, valueStart, found, visit);
    else if (bytes[valueStart] === OPEN_BRACKET) {
      eachElement(bytes, valueStart, (start) => {
        if (bytes[start] === OPEN_BRACE) visitMembers(bytes, start, found, visit);
      });
    }
  }
}

function isNamed(
  bytes: Uint8Array,
  keyStart: number,
  keyEnd: number,
  text: string,
  name: Uint8Array,
): boolean {
  if (keyEnd - keyStart - 2 === name.length && isSame(bytes, keyStart + 1, name)) return true;
  for (let at = keyStart; at < keyEnd; at++) {
    if (bytes[at] === BACKSLASH) return stringText(bytes, keyStart, keyEnd) === text;
  }
  return false;
}

function isSame(bytes: Uint8Array, from: number, name: Uint8Array): boolean {
  for (let i = 0; i < name.length; i++) if (bytes[from + i] !== name[i]) return false;
  return true;
}
