/**
 * Names and strings of a scanned line. Names match by their decoded value, lone surrogates
 * included; of duplicate names the last counts, as in `JSON.parse`.
 */
import type { Path } from '../../core/path.ts';
import { Kind, type Scanner } from './scanner.ts';

const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
const encoder = new TextEncoder();
const SHORT = 24;

/** A field's name, ready to be compared with the bytes of a line. */
export interface FieldName {
  readonly text: string;
  /** Its UTF-8 bytes; absent when a lone surrogate keeps it from having any. */
  readonly bytes: Uint8Array | undefined;
}

/** Prepares a name for `findMember`. */
export function fieldName(text: string): FieldName {
  const bytes = encoder.encode(text);
  return { text, bytes: decoder.decode(bytes) === text ? bytes : undefined };
}

/** Prepares every step of a path. */
export function fieldNames(path: Path): readonly FieldName[] {
  return path.map(fieldName);
}

/** The text of well-formed UTF-8 bytes [from, to). */
export function decodeText(bytes: Uint8Array, from: number, to: number): string {
  if (to - from <= SHORT) {
    let text = '';
    let at = from;
    while (at < to && bytes[at]! < 0x80) text += String.fromCharCode(bytes[at++]!);
    if (at === to) return text;
  }
  return decoder.decode(bytes.subarray(from, to));
}

/** The source text of a node. */
export function sourceText(scanner: Scanner, node: number): string {
  return decodeText(scanner.bytes, scanner.start[node]!, scanner.end[node]!);
}

/** The value of a string node. */
export function stringValue(scanner: Scanner, node: number): string {
  if (scanner.kind[node] === Kind.escaped) return JSON.parse(sourceText(scanner, node)) as string;
  return decodeText(scanner.bytes, scanner.start[node]! + 1, scanner.end[node]! - 1);
}

/** The node of the last member of this name, or -1. `node` must be an object. */
export function findMember(scanner: Scanner, node: number, name: FieldName): number {
  const { next } = scanner;
  const end = next[node]!;
  let found = -1;
  for (let key = node + 1; key < end; key = next[key + 1]!) {
    if (nameEquals(scanner, key, name)) found = key + 1;
  }
  return found;
}

/** The node at a path that leads through objects only, or -1. */
export function findPath(scanner: Scanner, node: number, path: readonly FieldName[]): number {
  let at = node;
  for (const name of path) {
    if (scanner.kind[at] !== Kind.object) return -1;
    at = findMember(scanner, at, name);
    if (at < 0) return -1;
  }
  return at;
}

function nameEquals(scanner: Scanner, key: number, name: FieldName): boolean {
  if (scanner.kind[key] === Kind.escaped) return stringValue(scanner, key) === name.text;
  const expected = name.bytes;
  const from = scanner.start[key]! + 1;
  if (expected === undefined || scanner.end[key]! - 1 - from !== expected.length) return false;
  const { bytes } = scanner;
  for (let i = 0; i < expected.length; i++) if (bytes[from + i] !== expected[i]) return false;
  return true;
}
