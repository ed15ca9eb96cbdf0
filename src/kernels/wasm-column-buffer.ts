/**
 * The growing buffers of one column and of the columns below it, fed from the module's scratch arrays
 * or from what the twin made. Room doubles when it is used up, so each byte is copied about once more.
 */
import { EtlError } from '../core/errors.ts';
import type { LineMachine } from './line-machine.ts';
import type { ColumnData, ColumnType } from './types.ts';

const MAX_OFFSET = 0x7fff_ffff;
const FIRST_BYTES = 1 << 12;

/** How a column's values lie: width in bytes, or bits, text, ends of lists, or nothing of its own. */
type Form = 4 | 8 | 'bits' | 'text' | 'list' | 'none';

/** Addresses of a column's scratch arrays. */
export interface ColumnPlace {
  readonly validity: number;
  readonly values: number;
  /** Where the module counts the rows of a list's elements. */
  readonly rows: number;
  readonly below: readonly ColumnPlace[];
}

export class ColumnBuffer {
  rows = 0;
  readonly #type: ColumnType;
  readonly #form: Form;
  readonly #children: readonly ColumnBuffer[];
  #nulls = 0;
  #validity: Uint8Array;
  #values: Uint8Array;
  #offsets: Int32Array;
  #textEnd = 0;

  /** `last` are the buffers that were filled before for the same column. */
  constructor(type: ColumnType, last?: ColumnBuffer) {
    this.#type = type;
    this.#form = formOf(type);
    this.#children = typesBelow(type).map(
      (each, i) => new ColumnBuffer(each, last === undefined ? undefined : last.#children[i]),
    );
    const {
      validity = 64,
      values = FIRST_BYTES,
      offsets = FIRST_BYTES / 4,
    } = last ? last.#used() : {};
    const form = this.#form;
    this.#validity = new Uint8Array(validity);
    this.#values = new Uint8Array(form === 'none' || form === 'list' ? 0 : values);
    this.#offsets = new Int32Array(form === 'text' || form === 'list' ? offsets : 0);
  }

  /** What the next buffers will need if they are filled alike: bytes, bytes, elements. */
  #used(): { readonly validity: number; readonly values: number; readonly offsets: number } {
    return {
      validity: roomy(this.#bits),
      values: roomy(this.#valueBytes),
      offsets: roomy(this.rows + 1),
    };
  }

  get #bits(): number {
    return (this.rows >> 3) + 1;
  }

  get #valueBytes(): number {
    const form = this.#form;
    if (form === 'bits') return this.#bits;
    if (form === 'text') return this.#textEnd;
    return form === 'none' || form === 'list' ? 0 : this.rows * form;
  }

  /** Bytes that the rows take. */
  get byteLength(): number {
    const own = this.#bits + this.#valueBytes + (this.#offsets.length > 0 ? this.rows * 4 : 0);
    return this.#children.reduce((sum, child) => sum + child.byteLength, own);
  }

  /** Empties it; the room stays. */
  clear(): void {
    this.rows = 0;
    this.#nulls = 0;
    this.#textEnd = 0;
    for (const child of this.#children) child.clear();
  }

  /** Appends the rows that stand in the module's scratch. */
  append(machine: LineMachine, place: ColumnPlace, count: number): void {
    this.#nulls += count - this.#appendBits('validity', machine, place.validity, count);
    const { values, below } = place;
    const form = this.#form;
    let countBelow = count;
    if (form === 'bits') this.#appendBits('values', machine, values, count);
    else if (form === 'text') this.#appendText(machine, values, count);
    else if (form === 'list') {
      const from = values >> 2;
      this.#appendEnds(machine.u32.subarray(from, from + count));
      countBelow = machine.u32[below[0]!.rows >> 2]!;
    } else if (form !== 'none') {
      this.#values = withRoom(this.#values, (this.rows + count) * form);
      this.#values.set(machine.u8.subarray(values, values + count * form), this.rows * form);
    }
    this.rows += count;
    if (countBelow === 0) return;
    for (const [i, child] of this.#children.entries()) child.append(machine, below[i]!, countBelow);
  }

  /** Appends rows in Arrow's layout. */
  appendData(data: ColumnData): void {
    const { rows } = this;
    const { length } = data;
    const form = this.#form;
    this.#nulls += data.nullCount;
    this.#validity = withRoom(this.#validity, ((rows + length) >> 3) + 1);
    copyBits(this.#validity, rows, data.validity, length);
    if (form === 'bits') {
      this.#values = withRoom(this.#values, ((rows + length) >> 3) + 1);
      copyBits(this.#values, rows, data.values as Uint8Array, length);
    } else if (form === 'text') {
      const text = data.values as Uint8Array;
      const base = this.#textEnd;
      this.#reserveText(length, text.length);
      this.#values.set(text, base);
      this.#textEnd += text.length;
      for (let i = 1; i <= length; i++) this.#offsets[rows + i] = base + data.offsets![i]!;
    } else if (form === 'list') this.#appendEnds(data.offsets!.subarray(1, length + 1));
    else if (form !== 'none') {
      const { buffer, byteOffset } = data.values!;
      this.#values = withRoom(this.#values, (rows + length) * form);
      this.#values.set(new Uint8Array(buffer, byteOffset, length * form), rows * form);
    }
    this.rows += length;
    for (const [i, child] of this.#children.entries()) child.appendData(data.children![i]!);
  }

  /** The column so far, over the buffers themselves. */
  take(): ColumnData {
    const { rows } = this;
    const children = this.#children.map((child) => child.take());
    return {
      length: rows,
      nullCount: this.#nulls,
      ...(this.#nulls === 0 ? {} : { validity: this.#validity.subarray(0, (rows + 7) >> 3) }),
      ...this.#buffers(),
      ...(this.#form === 'none' || this.#form === 'list' ? { children } : {}),
    };
  }

  #buffers(): Pick<ColumnData, 'values' | 'offsets'> {
    const { rows } = this;
    const { buffer } = this.#values;
    switch (this.#form) {
      case 'none':
        return {};
      case 'list':
        return { offsets: this.#offsets.subarray(0, rows + 1) };
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
    const begun = shift === 0 ? 0 : target[first]!;
    const ones = machine.exports.packBits(bytes, count, out, shift, begun);
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

  /** Appends the ends of lists, counted from the elements that are there already. */
  #appendEnds(ends: Uint32Array | Int32Array): void {
    const { rows } = this;
    const base = this.#children[0]!.rows;
    const { length } = ends;
    if (length > 0 && base + ends[length - 1]! > MAX_OFFSET) {
      throw new EtlError('INVALID_ARGUMENT', 'a list column is full; take rows more often');
    }
    this.#offsets = withRoom(this.#offsets, rows + length + 1);
    const offsets = this.#offsets;
    for (let i = 0; i < length; i++) offsets[rows + 1 + i] = base + ends[i]!;
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
  if (type.kind === 'struct') return 'none';
  if (type.kind === 'list') return 'list';
  if (type.kind === 'int32') return 4;
  if (type.kind === 'bool') return 'bits';
  return type.kind === 'utf8' || type.kind === 'json' ? 'text' : 8;
}

/** The types of the columns right below one of this type. */
export function typesBelow(type: ColumnType): readonly ColumnType[] {
  if (type.kind === 'list') return [type.element];
  return type.kind === 'struct' ? type.fields.map((field) => field.type) : [];
}

/** Appends `length` bits, all ones if none are given, behind the first `at`. */
function copyBits(to: Uint8Array, at: number, from: Uint8Array | undefined, length: number): void {
  for (let i = 0; i < length; i++) {
    const bit = 1 << ((at + i) & 7);
    const isSet = !from || (from[i >> 3]! >> (i & 7)) & 1;
    if (isSet) to[(at + i) >> 3]! |= bit;
    else to[(at + i) >> 3]! &= ~bit;
  }
}

/** A little more than `length`, and enough to begin with. */
function roomy(length: number): number {
  return Math.ceil(Math.max(64, length + (length >> 6)) / 8) * 8;
}

/** The array, or a copy of at least twice its size, with room for `length` elements. */
function withRoom<T extends Uint8Array | Int32Array>(array: T, length: number): T {
  if (length <= array.length) return array;
  const make = array.constructor as new (length: number) => T;
  const larger = new make(Math.ceil(Math.max(length, array.length * 2) / 8) * 8);
  larger.set(array as never);
  return larger;
}
