/**
 * Reads flatbuffers that nobody vouches for: every access is checked against the bytes there are, by
 * DataView itself, so that damage ends in a RangeError and never in a long loop. Only what the
 * messages of Arrow IPC need.
 * Source: FlatBuffers Internals, "Tables" and "Vectors".
 */

/** A table: fields by number, in the order of the schema that it was written with. */
export class FlatTable {
  readonly #view: DataView;
  readonly #at: number;
  readonly #vtable: number;
  readonly #vtableBytes: number;

  private constructor(view: DataView, at: number) {
    this.#view = view;
    this.#at = at;
    this.#vtable = at - view.getInt32(at, true);
    this.#vtableBytes = view.getUint16(this.#vtable, true);
  }

  /** The table that the bytes begin with. Errors, here and below: RangeError. */
  static root(bytes: Uint8Array): FlatTable {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    return new FlatTable(view, view.getUint32(0, true));
  }

  u8(field: number, missing = 0): number {
    const at = this.#find(field);
    return at === undefined ? missing : this.#view.getUint8(at);
  }

  i16(field: number, missing = 0): number {
    const at = this.#find(field);
    return at === undefined ? missing : this.#view.getInt16(at, true);
  }

  /** A 64-bit count; one that no memory could hold is damage. */
  count(field: number): number {
    const at = this.#find(field);
    return at === undefined ? 0 : readCount(this.#view, at);
  }

  /** A 64-bit number that may be anything. */
  i64(field: number): bigint {
    const at = this.#find(field);
    return at === undefined ? 0n : this.#view.getBigInt64(at, true);
  }

  table(field: number): FlatTable | undefined {
    const at = this.#find(field);
    return at === undefined ? undefined : this.#tableAt(at);
  }

  /** The tables of a vector. */
  *tables(field: number): Generator<FlatTable, void, void> {
    const { at, length } = this.#vector(field, 4);
    for (let i = 0; i < length; i++) yield this.#tableAt(at + i * 4);
  }

  /** A vector of 64-bit counts, or of structs of `perItem` of them, one after the other. */
  counts(field: number, perItem = 1): Float64Array {
    const { at, length } = this.#vector(field, 8 * perItem);
    const found = new Float64Array(length * perItem);
    for (let i = 0; i < found.length; i++) found[i] = readCount(this.#view, at + i * 8);
    return found;
  }

  #find(field: number): number | undefined {
    const slot = 4 + field * 2;
    if (slot >= this.#vtableBytes) return undefined;
    const offset = this.#view.getUint16(this.#vtable + slot, true);
    return offset === 0 ? undefined : this.#at + offset;
  }

  #tableAt(at: number): FlatTable {
    return new FlatTable(this.#view, at + this.#view.getUint32(at, true));
  }

  #vector(field: number, itemBytes: number): { at: number; length: number } {
    const place = this.#find(field);
    if (place === undefined) return { at: 0, length: 0 };
    const at = place + this.#view.getUint32(place, true);
    const length = this.#view.getUint32(at, true);
    if (at + 4 + length * itemBytes > this.#view.byteLength) {
      throw new RangeError('a vector goes past the end');
    }
    return { at: at + 4, length };
  }
}

/** -1, which some writers mean by "not counted", comes as it is. */
function readCount(view: DataView, at: number): number {
  const value = Number(view.getBigInt64(at, true));
  if (value >= -1 && Number.isSafeInteger(value)) return value;
  throw new RangeError(`${value} is no count`);
}
