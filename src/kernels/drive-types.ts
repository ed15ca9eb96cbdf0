/**
 * What the kernels do for R-Drive files (docs/format/drive.md): the table from key hashes to entries,
 * the bytes of records, and the walk back through a chain. Two implementations with the same answers.
 */

/** A key: bytes, or text that stands for its UTF-8. */
export type DriveKey = string | Uint8Array;

/** What is written under a key. */
export type DriveEntry = readonly [key: DriveKey, payload: Uint8Array];

/** Bytes of metadata behind each payload. */
export const METADATA_BYTES = 20;

/** Payloads begin at multiples of this. */
export const PAYLOAD_ALIGNMENT = 64;

/** Longest payload, and longest key (of text: three bytes a unit), that are staged. */
export const MAX_STAGED: number = 1 << 15;

/** The next place at or after `offset` where a payload may begin. */
export function alignPayload(offset: number): number {
  return Math.ceil(offset / PAYLOAD_ALIGNMENT) * PAYLOAD_ALIGNMENT;
}

/** The file's length after a record of so many payload bytes (0: a tombstone) behind `tail`. */
export function tailAfter(tail: number, payloadLength: number): number {
  if (payloadLength === 0) return tail + 1 + METADATA_BYTES;
  return alignPayload(tail) + payloadLength + METADATA_BYTES;
}

/** A `check` that no tail reaches. */
export const UNCHECKED: number = Number.MAX_SAFE_INTEGER;

/** What a walk does besides walking. Without `report` it fills the table. */
export interface WalkOptions {
  /**
   * Changes nothing, and finds where the payloads of entries that are the newest of their keys begin and
   * end, two numbers each. The table is that of the whole chain.
   */
  readonly report?: boolean;
  /**
   * Finds tails at or above this one of records that are not seen to be sound: the checksum is wrong, or
   * the payload not all in the piece; and 0 when the chain passes `check` by. Not together with `report`.
   */
  readonly check?: number | undefined;
}

/** How far a walk got in one piece of the file. */
export interface WalkStep {
  /** The tail to go on from; the floor when the walk is done. */
  readonly cursor: number;
  readonly records: number;
  /** Nothing that could be a record ends at `cursor`. */
  readonly broken: boolean;
  /** What the options ask for, from the newest record down; a view until the next call. */
  readonly found: Float64Array;
}

/**
 * The newest entry of each key hash: where its metadata lies. An entry of a hash takes the place of the
 * one before; nobody can tell two keys of the same hash apart, as files hold no keys.
 */
export interface DriveTable {
  readonly size: number;
  /** Bytes of memory held. */
  readonly byteLength: number;
  /** Low and high half of the hash that `hashKey` or `findKey` made last. */
  readonly keyHash: Uint32Array;
  /** XXH3-64 of the key, into `keyHash`. */
  hashKey(key: DriveKey): void;
  /** The metadata offset of a key's entry, or -1. */
  findKey(key: DriveKey): number;
  find(hashLow: number, hashHigh: number): number;
  /**
   * Where the payload of each key begins, -1 where the table does not know, and `findKey` of it: two numbers a key.
   * May be a view until the next call.
   */
  findKeys(keys: readonly DriveKey[]): Float64Array;
  /** The offset that was there before, or -1. With `replace` false one that is there stays. */
  set(hashLow: number, hashHigh: number, offset: number, replace?: boolean): number;
  /** The offset that was there, or -1. */
  remove(hashLow: number, hashHigh: number): number;
  clear(): void;
  /** Empties the table and makes room for so many entries. */
  reserve(count: number): void;
  /** All offsets, in no order. */
  offsets(): Float64Array;

  /**
   * Adds records to those to be laid out, from the ordinal `from` on; answers the ordinal of the first
   * that was not added, because there is no more room (`layOut` and `commit` make some) or because key
   * or payload are longer than `MAX_STAGED`. Payloads are not empty.
   */
  stage(entries: readonly DriveEntry[], from: number): number;
  /** The same for one record by the halves of its key's hash; no payload deletes. False when not added. */
  stageHash(low: number, high: number, payload: Uint8Array | undefined): boolean;
  /** The staged records as they follow the tail; a view until the next call. */
  layOut(tail: number): Uint8Array;
  /** Takes the staged records into the table as `layOut` placed them. */
  commit(): void;
  /** Forgets the staged records. */
  unstage(): void;

  /** Memory of the table's own for a piece, good until its next call: `walk` takes it without a copy. */
  pieceMemory(byteLength: number): Uint8Array;
  /**
   * Walks back through the piece of the file that begins at `base` and holds the bytes in front of the
   * tail `cursor`, towards `floor`, and puts keys not seen into the table. Pieces of at most `WALK_BYTES`.
   */
  walk(
    piece: Uint8Array,
    base: number,
    cursor: number,
    floor: number,
    options?: WalkOptions,
  ): WalkStep;
  /** Ends walking: forgets which keys were deleted. */
  sweep(): void;
}

/** Largest piece of a walk. */
export const WALK_BYTES: number = 1 << 20;
