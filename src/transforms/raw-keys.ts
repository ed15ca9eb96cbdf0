/**
 * Remembers what belongs to a key by the bytes it is written with, so that keys written alike need not be
 * understood again. Only a cache: of keys whose hashes fall together, some are not remembered.
 */
import { ByteWriter } from './line-editor.ts';
import type { Span } from './members.ts';

/** Ends a value of a key; no value in a line holds one. */
const END = 0x0a;
const FIRST_SLOTS = 1 << 8;
/** Slots looked at for a key. */
const PROBES = 8;
const PRIME = 0x01000193;

export class RawKeys<Value> {
  /** The keys one after the other; behind them the one last looked for. */
  readonly #text = new ByteWriter(1 << 10);
  readonly #starts: number[] = [0];
  readonly #hashes: number[] = [];
  readonly #values: Value[] = [];
  /** Ordinals of keys plus one; 0 is free. */
  #slots = new Uint32Array(FIRST_SLOTS);
  #hash = 0;

  /** Bytes held, roughly. */
  get byteLength(): number {
    return this.#starts[this.#values.length]! + this.#values.length * 32;
  }

  /** What belongs to the key that the first `count` parts make. */
  find(bytes: Uint8Array, parts: readonly (Span | undefined)[], count: number): Value | undefined {
    this.#write(bytes, parts, count);
    const slots = this.#slots;
    const mask = slots.length - 1;
    for (let probe = 0; probe < PROBES; probe++) {
      const ordinal = slots[(this.#hash + probe) & mask]! - 1;
      if (ordinal < 0) return undefined;
      if (this.#hashes[ordinal] === this.#hash && this.#isLast(ordinal))
        return this.#values[ordinal];
    }
    return undefined;
  }

  /** Remembers what belongs to the key last looked for. */
  add(value: Value): void {
    if (!this.#place(this.#hash, this.#values.length)) return;
    this.#values.push(value);
    this.#hashes.push(this.#hash);
    this.#starts.push(this.#text.length);
    if (this.#values.length * 2 > this.#slots.length) this.#grow();
  }

  #write(bytes: Uint8Array, parts: readonly (Span | undefined)[], count: number): void {
    const text = this.#text;
    text.length = this.#starts[this.#values.length]!;
    let hash = count;
    for (let i = 0; i < count; i++) {
      const part = parts[i];
      for (let at = part ? part.start : 0, end = part ? part.end : 0; at < end; at++) {
        const byte = bytes[at]!;
        text.byte(byte);
        hash = Math.imul(hash ^ byte, PRIME);
      }
      text.byte(END);
      hash = Math.imul(hash ^ END, PRIME);
    }
    this.#hash = (hash ^ (hash >>> 15)) >>> 0;
  }

  #isLast(ordinal: number): boolean {
    const { bytes, length } = this.#text;
    const start = this.#starts[ordinal]!;
    const last = this.#starts[this.#values.length]!;
    if (this.#starts[ordinal + 1]! - start !== length - last) return false;
    for (let i = 0; last + i < length; i++) if (bytes[start + i] !== bytes[last + i]) return false;
    return true;
  }

  #place(hash: number, ordinal: number): boolean {
    const mask = this.#slots.length - 1;
    for (let probe = 0; probe < PROBES; probe++) {
      const slot = (hash + probe) & mask;
      if (this.#slots[slot] !== 0) continue;
      this.#slots[slot] = ordinal + 1;
      return true;
    }
    return false;
  }

  #grow(): void {
    this.#slots = new Uint32Array(this.#slots.length * 2);
    for (const [ordinal, hash] of this.#hashes.entries()) this.#place(hash, ordinal);
  }
}
