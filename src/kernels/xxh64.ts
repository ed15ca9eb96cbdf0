/** XXH64 with seed 0 of bytes that come in pieces. What it keeps does not grow with them. */
import { finish, STRIPE, startLanes, takeStripes as takeInPlain } from './twin/xxh64.ts';
import { takeStripes as takeInWasm } from './wasm-hash.ts';
import { wasmSupported } from './wasm-supported.ts';

const take = wasmSupported() ? takeInWasm : takeInPlain;

export class Xxh64 {
  readonly #lanes = startLanes();
  /** Bytes of a stripe that is not whole yet. */
  readonly #rest = new Uint8Array(STRIPE);
  #count = 0;

  /** Takes the bytes that come next. */
  update(bytes: Uint8Array): void {
    const held = this.#count % STRIPE;
    this.#count += bytes.length;
    let from = 0;
    if (held > 0) {
      from = Math.min(STRIPE - held, bytes.length);
      this.#rest.set(bytes.subarray(0, from), held);
      if (held + from < STRIPE) return;
      take(this.#lanes, this.#rest);
    }
    const end = bytes.length - ((bytes.length - from) % STRIPE);
    if (end > from) take(this.#lanes, bytes.subarray(from, end));
    this.#rest.set(bytes.subarray(end));
  }

  /** The hash of all bytes so far. */
  digest(): bigint {
    return finish(this.#lanes, this.#rest.subarray(0, this.#count % STRIPE), this.#count);
  }
}
