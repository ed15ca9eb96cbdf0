/** The growing buffers of one column, fed from the module's scratch arrays or from single rows. */
import { EtlError } from '../core/errors.ts';
import type { LineMachine } from './line-machine.ts';
import type { ColumnData, ColumnType } from './types.ts';

const MAX_OFFSET = 0x7fff_ffff;
const FIRST_BYTES = 1 << 12;

/** How a column's values lie: width in bytes, or bits, text, or nothing of its own. */
type Form = 4 | 8 | 'bits' | 'text' | 'none';

export class ColumnBuffer {
  rows = 0;
  readonly #type: ColumnType;
  readonly #form: Form;
  #nulls = 0;
  #validity = new Uint8Array(64);
  #values = new Uint8Array(0);
  #offsets = new Int32Array(0);
  #textEnd = 0;

  constructor(type: ColumnType) {
    this.#type = type;
    this.#form = formOf(type);
    if (this.#form !== 'none') this.#values = new Uint8Array(FIRST_BYTES);
    if (this.#form === 'text') this.#offsets = new Int32Array(FIRST_BYTES / 4);
  }

  /** Bytes held. */
  get byteLength(): number {
    return this.#validity.byteLength + this.#values.byteLength + this.#offsets.byteLength;
  }

  /** Appends the rows that stand in the module's scratch. */
  append(
    machine: LineMachine,
    place: { readonly validity: number; readonly values: number },
    count: number,
  ): void {
    this.#nulls += count - this.#appendBits('validity', machine, place.validity, count);
    const { values } = place;
    if (this.#form === 'bits') this.#appendBits('values', machine, values, count);
    else if (this.#form === 'text') this.#appendText(machine, values, count);
    else if (this.#form !== 'none') {
      const width = this.#form;
      this.#values = withRoom(this.#values, (this.rows + count) * width);
      this.#values.set(machine.u8.subarray(values, values + count * width), this.rows * width);
    }
    this.rows += count;
  }

  /** Appends a single row in Arrow's layout. */
  appendRow(row: ColumnData): void {
    const valid = row.nullCount === 0;
    this.#validity = withRoom(this.#validity, (this.rows >> 3) + 1);
    setBit(this.#validity, this.rows, valid);
    if (!valid) this.#nulls++;
    if (this.#form === 'bits') {
      this.#values = withRoom(this.#values, (this.rows >> 3) + 1);
      setBit(this.#values, this.rows, (row.values as Uint8Array)[0] === 1);
    } else if (this.#form === 'text') {
      const text = row.values as Uint8Array;
      this.#reserveText(1, text.length);
      this.#values.set(text, this.#textEnd);
      this.#textEnd += text.length;
      this.#offsets[this.rows + 1] = this.#textEnd;
    } else if (this.#form !== 'none') {
      const width = this.#form;
      const { buffer, byteOffset } = row.values!;
      this.#values = withRoom(this.#values, (this.rows + 1) * width);
      this.#values.set(new Uint8Array(buffer, byteOffset, width), this.rows * width);
    }
    this.rows++;
  }

  /** The column so far, over the buffers themselves. */
  take(children: readonly ColumnData[]): ColumnData {
    const { rows } = this;
    return {
      length: rows,
      nullCount: this.#nulls,
      ...(this.#nulls === 0 ? {} : { validity: this.#validity.subarray(0, (rows + 7) >> 3) }),
      ...this.#buffers(),
      ...(this.#type.kind === 'struct' ? { children } : {}),
    };
  }

  #buffers(): Pick<ColumnData, 'values' | 'offsets'> {
    const { rows } = this;
    const { buffer } = this.#values;
    switch (this.#form) {
      case 'none':
        return {};
      case 'bits':
        return { values: this.#values.subarray(0, (rows + 7) >> 3) };
      case 'text':
        return {
          values: this.#values.subarray(0, this.#textEnd),
          offsets: this.#offsets.subarray(0, rows + 1),
        };
      case 4:
        return { values: new Int32Array(buffer, 0, rows) };
      default:
        return {
          values:
            this.#type.kind === 'float64'
              ? new Float64Array(buffer, 0, rows)
              : new BigInt64Array(buffer, 0, rows),
        };
    }
  }

  /** Packs a byte per row behind the bits so far; returns how many are 1. */
  #appendBits(
    to: 'validity' | 'values',
    machine: LineMachine,
    bytes: number,
    count: number,
  ): number {
    let target = to === 'validity' ? this.#validity : this.#values;
    target = withRoom(target, ((this.rows + count) >> 3) + 1);
    if (to === 'validity') this.#validity = target;
    else this.#values = target;
    const first = this.rows >> 3;
    const shift = this.rows & 7;
    const out = machine.outStart;
    const ones = machine.exports.packBits(bytes, count, out, shift, target[first]!);
    target.set(machine.u8.subarray(out, out + ((shift + count + 7) >> 3)), first);
    return ones;
  }

  #appendText(machine: LineMachine, values: number, count: number): void {
    // Offsets stand behind the text, which is never longer than the chunk.
    const { outStart } = machine;
    const offsetsAt = Math.ceil(machine.outEnd / 8) * 8;
    machine.reserve(offsetsAt + count * 4);
    const end = machine.exports.gatherText(values, count, outStart, offsetsAt, this.#textEnd);
    const length = end - outStart;
    this.#reserveText(count, length);
    this.#values.set(machine.u8.subarray(outStart, end), this.#textEnd);
    const offsets = machine.u32.subarray(offsetsAt >> 2, (offsetsAt >> 2) + count);
    this.#offsets.set(offsets, this.rows + 1);
    this.#textEnd += length;
  }

  #reserveText(rows: number, bytes: number): void {
    if (this.#textEnd + bytes > MAX_OFFSET) {
      throw new EtlError('INVALID_ARGUMENT', 'a column holds at most 2 GiB; take rows more often');
    }
    this.#values = withRoom(this.#values, this.#textEnd + bytes);
    this.#offsets = withRoom(this.#offsets, this.rows + rows + 1);
  }
}

function formOf(type: ColumnType): Form {
  if (type.kind === 'struct' || type.kind === 'list') return 'none';
  if (type.kind === 'int32') return 4;
  if (type.kind === 'bool') return 'bits';
  return type.kind === 'utf8' || type.kind === 'json' ? 'text' : 8;
}

function setBit(bits: Uint8Array, at: number, value: boolean): void {
  if (value) bits[at >> 3]! |= 1 << (at & 7);
  else bits[at >> 3]! &= ~(1 << (at & 7));
}

/** The array, or a copy of at least twice its size, with room for `length` elements. */
function withRoom<T extends Uint8Array | Int32Array>(array: T, length: number): T {
  if (length <= array.length) return array;
  const make = array.constructor as new (length: number) => T;
  const larger = new make(Math.ceil(Math.max(length, array.length * 2) / 8) * 8);
  larger.set(array as never);
  return larger;
}
