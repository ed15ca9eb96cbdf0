/**
 * Opening a collection by the letter of docs/format/collection.md, in the plainest way: whole files
 * in memory, Maps, JSON.parse. What it says is what a reader must show.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Document } from '../../src/core/batch.ts';
import { sharedKernel } from '../../src/kernels/index.ts';

/** An index.bin as it stands: newest entry of each id. */
export interface ReferenceIndex {
  readonly places: Map<string, { readonly offset: number; readonly length: number }>;
  readonly bytes: number;
}

interface Line {
  readonly offset: number;
  readonly length: number;
  readonly document: Document;
}

interface LogRecord {
  readonly op: string;
  readonly end: number;
  readonly deletes?: [string, number][];
  readonly states?: [number, number][];
  readonly indexSum: string;
  readonly indexBytes: number;
}

/** What stands in a collection's files. */
export interface ReferenceState {
  /** Documents by id, in file order. */
  readonly documents: Map<string, Document>;
  /** index.bin is the checkpoint that the log names. */
  readonly trusted: boolean;
}

/** The documents that a reader must show; undefined where it must refuse. */
export function readReference(meta: string): ReferenceState | undefined {
  const read = (name: string): Buffer | undefined =>
    existsSync(join(meta, name)) ? readFileSync(join(meta, name)) : undefined;
  const data = read('data.jsonl') ?? Buffer.alloc(0);
  const log = readLog(read('commits.log'));
  const index = parseIndex(read('index.bin'));
  const last = log.at(-1);
  const committed = last?.end ?? 0;
  if (data.length < committed) return undefined;
  const checkpoint = log.filter(({ op }) => op === 'checkpoint').at(-1);
  const trusted =
    index !== undefined &&
    index.bytes === checkpoint?.indexBytes &&
    sumOf(index) === checkpoint.indexSum;
  const reach = Math.max(0, ...[...(index?.places.values() ?? [])].map((p) => p.offset + p.length));
  const closed = last === undefined || last.op === 'close';
  const adopts = closed || (!trusted && reach > committed);
  const lines = readLines(adopts ? data : data.subarray(0, committed));

  const newest = new Map<string, Line>();
  for (const line of lines) {
    const id = line.document._id as string;
    newest.delete(id);
    newest.set(id, line);
  }
  for (const [id, at] of log.flatMap(({ deletes }) => deletes ?? [])) {
    if ((newest.get(id)?.offset ?? at) < at) newest.delete(id);
  }
  if (index !== undefined && !trusted && index.places.size > 0) {
    const starts = new Map(lines.map((line) => [line.offset, line.document._id]));
    const sound = [...index.places].every(([id, { offset }]) => starts.get(offset) === id);
    const known = Math.min(reach, checkpoint?.end ?? reach);
    const had = new Set([...index.places.values()].map(({ offset }) => offset));
    const read = lines.filter(({ offset }) => offset < known && had.has(offset));
    const last = Math.max(0, ...read.map(({ offset, length }) => offset + length));
    const states = log.flatMap(({ op, end, states }, i) => {
      if (op === 'compact') return states ?? [];
      const adopts = op === 'commit' && !['open', 'commit'].includes(log[i - 1]?.op ?? '');
      return op === 'checkpoint' || adopts ? [[end, end] as const] : [];
    });
    const covered = states.find(([end]) => end >= last)?.[1] ?? known;
    const limit = Math.min(known, covered);
    for (const [id, { offset }] of newest) {
      const isAdded = closed && offset >= committed && offset < reach;
      if (sound && (offset < limit || isAdded) && !index.places.has(id)) newest.delete(id);
    }
  }
  return { documents: new Map([...newest].map(([id, line]) => [id, line.document])), trusted };
}

/** The entries of an index.bin, binary or text; undefined where it is none. */
export function parseIndex(bytes: Buffer | undefined): ReferenceIndex | undefined {
  if (bytes === undefined || bytes.length === 0) return undefined;
  const places: ReferenceIndex['places'] = new Map();
  if (bytes.length < 16 || bytes.readUInt32LE(0) !== 0x5a445349) {
    for (const line of bytes.toString().split('\n')) {
      if (line === '') continue;
      const [id, offset, length] = line.split('\t');
      if (length === undefined) return undefined;
      places.set(id!, { offset: Number(offset), length: Number(length) });
    }
    return { places, bytes: 0 };
  }
  let at = 16;
  for (let left = Number(bytes.readBigUInt64LE(8)); left > 0; left--) {
    if (at + 2 > bytes.length) return undefined;
    const idEnd = at + 2 + bytes.readUInt16LE(at);
    if (idEnd + 12 > bytes.length) return undefined;
    const offset = Number(bytes.readBigUInt64LE(idEnd));
    places.set(bytes.toString('utf8', at + 2, idEnd), {
      offset,
      length: bytes.readUInt32LE(idEnd + 8),
    });
    at = idEnd + 12;
  }
  return { places, bytes: at };
}

function readLog(bytes: Buffer | undefined): LogRecord[] {
  const records: LogRecord[] = [];
  const text = bytes?.toString() ?? '';
  for (const line of text.slice(0, text.lastIndexOf('\n') + 1).split('\n')) {
    const match = /^\{"sum":"([0-9a-f]{16})",(.*)$/.exec(line);
    if (match === null || hex(sharedKernel().hash(Buffer.from(match[2]!))) !== match[1]) break;
    records.push(JSON.parse(line) as LogRecord);
  }
  return records;
}

function readLines(data: Buffer): Line[] {
  const lines: Line[] = [];
  for (let start = 0; start < data.length; ) {
    const newline = data.indexOf(10, start);
    const end = newline < 0 ? data.length : newline;
    const document = parseDocument(data.toString('utf8', start, end));
    if (document !== undefined) lines.push({ offset: start, length: end - start + 1, document });
    start = end + 1;
  }
  return lines;
}

function parseDocument(text: string): Document | undefined {
  try {
    const value = JSON.parse(text) as Document | null;
    return typeof value?._id === 'string' ? value : undefined;
  } catch {
    return undefined;
  }
}

function sumOf({ places }: ReferenceIndex): string {
  const low = (value: bigint): bigint => BigInt.asUintN(64, value);
  let sum = 0n;
  for (const [id, { offset, length }] of places) {
    const hash = sharedKernel().hash(Buffer.from(id));
    const size = BigInt(Math.min(length, 0xffffff)) << 40n;
    let x = hash ^ low(BigInt(offset) * 0x9e3779b97f4a7c15n) ^ low(size);
    x ^= x >> 32n;
    x = low(x * 0xd6e8feb86659fd93n);
    x ^= x >> 32n;
    sum = low(sum + x);
  }
  return hex(sum);
}

function hex(value: bigint): string {
  return value.toString(16).padStart(16, '0');
}
