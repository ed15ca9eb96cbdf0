/** The id index of the WebAssembly kernel: a table in the memory of its own module instance. */
import { EtlError } from '../core/errors.ts';
import { indexModule } from './generated/index-module.ts';
import type { IdIndex, IndexLoad } from './types.ts';
import { decodeBase64 } from './wasm-bytes.ts';

const STATE = 0x1000;
const EXCHANGE = 0x10000;
const EXCHANGE_BYTES = 0x40000;
const RECORD_BYTES = 32;
const MAX_RECORDS = EXCHANGE_BYTES / RECORD_BYTES;
const INITIAL_PAGES = 8;
const MAX_PAGES = 65536;

interface IndexExports {
  size(): number;
  checksum(): bigint;
  clear(): number;
  add(low: number, high: number, offset: number, length: number): number;
  find(low: number, high: number, after: number): number;
  offsetOf(entry: number): number;
  lengthOf(entry: number): number;
  set(entry: number, offset: number, length: number): void;
  remove(entry: number): void;
  insertLines(from: number, to: number, base: number): number;
  live(count: number, base: number): void;
  loadEntries(length: number, limit: number, enter: boolean): number;
  reserve(count: number): number;
  appendEntries(length: number, limit: number): number;
  settleEntries(): number;
  copyEntries(from: number, limit: number): void;
  slotCount(): number;
}

let compiled: WebAssembly.Module | undefined;

/** As `Kernel.createIndex`. Errors: INVALID_ARGUMENT when 4 GiB are not enough. */
export function createWasmIndex(): IdIndex {
  compiled ??= new WebAssembly.Module(decodeBase64(indexModule));
  const memory = new WebAssembly.Memory({ initial: INITIAL_PAGES, maximum: MAX_PAGES });
  const instance = new WebAssembly.Instance(compiled, { env: { memory } });
  const table = instance.exports as unknown as IndexExports;
  table.clear();
  return {
    get size() {
      return table.size();
    },
    get byteLength() {
      return memory.buffer.byteLength;
    },
    get sum() {
      return BigInt.asUintN(64, table.checksum());
    },
    insertLines: (records, from, to, base) => {
      for (let first = from; first < to; first += MAX_RECORDS) {
        const count = Math.min(MAX_RECORDS, to - first);
        const words = records.subarray(first * 8, (first + count) * 8);
        new Uint32Array(memory.buffer, EXCHANGE).set(words);
        const reached = table.insertLines(0, count, base);
        if (reached < 0) throw tooLarge();
        if (reached < count) return first + reached;
      }
      return to;
    },
    find: (low, high, after = -1) => table.find(low, high, after),
    offset: (entry) => table.offsetOf(entry),
    length: (entry) => table.lengthOf(entry),
    set: (entry, offset, length) => table.set(entry, offset, length),
    add: (low, high, offset, length) => {
      if (!table.add(low, high, offset, length)) throw tooLarge();
    },
    remove: (entry) => table.remove(entry),
    clear: () => {
      table.clear();
    },
    live: (records, count, base) => {
      const skip = new Uint8Array(count);
      for (let first = 0; first < count; first += MAX_RECORDS) {
        const piece = Math.min(MAX_RECORDS, count - first);
        const words = records.subarray(first * 8, (first + piece) * 8);
        new Uint32Array(memory.buffer, EXCHANGE).set(words);
        table.live(piece, base);
        skip.set(new Uint8Array(memory.buffer, EXCHANGE, piece), first);
      }
      return skip;
    },
    load: (bytes, limit) =>
      walk(memory, bytes, limit, (length, left) => table.loadEntries(length, left, true)),
    seek: (bytes, limit) =>
      walk(memory, bytes, limit, (length, left) => table.loadEntries(length, left, false)),
    reserve: (count) => table.reserve(count) !== 0,
    append: (bytes, limit) => {
      const appended = walk(memory, bytes, limit, table.appendEntries);
      return appended.conflict === undefined ? appended : undefined;
    },
    settle: () => table.settleEntries() !== 0,
    entries: () => entries(table, memory),
  };
}

function walk(
  memory: WebAssembly.Memory,
  bytes: Uint8Array,
  limit: number,
  step: (length: number, limit: number) => number,
): IndexLoad {
  let consumed = 0;
  let count = 0;
  let end = 0;
  for (;;) {
    const piece = bytes.subarray(consumed, consumed + EXCHANGE_BYTES);
    new Uint8Array(memory.buffer, EXCHANGE).set(piece);
    if (!step(piece.length, limit - count)) {
      throw new EtlError('CORRUPTED_INDEX', 'an index entry cannot be right', {
        place: { offset: consumed },
      });
    }
    const state = new DataView(memory.buffer, STATE, 32);
    const read = state.getUint32(0, true);
    consumed += read;
    count += state.getUint32(4, true);
    end = Math.max(end, state.getFloat64(16, true));
    if (state.getUint32(8, true) === 1) {
      return { consumed, count, end, conflict: conflictAt(bytes, consumed, state) };
    }
    if (count === limit || read === 0 || consumed === bytes.length) return { consumed, count, end };
  }
}

function conflictAt(
  bytes: Uint8Array,
  at: number,
  state: DataView,
): NonNullable<IndexLoad['conflict']> {
  const view = new DataView(bytes.buffer, bytes.byteOffset + at);
  const idLength = view.getUint16(0, true);
  return {
    idStart: at + 2,
    idEnd: at + 2 + idLength,
    offset: Number(view.getBigUint64(2 + idLength, true)),
    length: view.getUint32(10 + idLength, true),
    size: 14 + idLength,
    hashLow: state.getUint32(24, true),
    hashHigh: state.getUint32(28, true),
  };
}

function entries(
  table: IndexExports,
  memory: WebAssembly.Memory,
): { offsets: Float64Array; lengths: Uint32Array } {
  const count = table.size();
  const placed = new BigUint64Array(count);
  let at = 0;
  for (let slot = 0; slot < table.slotCount(); ) {
    table.copyEntries(slot, EXCHANGE_BYTES / 8);
    const [next, copied] = new Uint32Array(memory.buffer, STATE, 2);
    placed.set(new BigUint64Array(memory.buffer, EXCHANGE, copied), at);
    at += copied!;
    slot = next!;
  }
  placed.sort();
  const words = new Uint32Array(placed.buffer);
  const offsets = new Float64Array(count);
  const lengths = new Uint32Array(count);
  for (let i = 0; i < count; i++) {
    lengths[i] = words[2 * i]! & 0xffffff;
    offsets[i] = words[2 * i + 1]! * 256 + (words[2 * i]! >>> 24);
  }
  return { offsets, lengths };
}

function tooLarge(): EtlError {
  return new EtlError('INVALID_ARGUMENT', 'the id index has no room for more entries');
}
