/**
 * Optional values and values with a time to live, framed as the Rust extensions frame them. What is in the
 * frame is the codec's: the Rust side uses `bitcode`, which describes nothing by itself; a program that
 * shares values with it gives a codec for their type.
 */
import { checkCount } from '../../../core/check-option.ts';
import { EtlError } from '../../../core/errors.ts';
import type { DriveKey } from '../../../kernels/index.ts';
import { checkBytes } from '../check-bytes.ts';
import type { DataStore } from '../data-store.ts';
import { type NamespaceHasher, reservedNamespace } from './namespace-hasher.ts';

/** How a value becomes bytes and comes back. */
export interface ValueCodec<T> {
  encode(value: T): Uint8Array;
  decode(bytes: Uint8Array): T;
}

/** Values as JSON text. */
export const jsonCodec: ValueCodec<unknown> = {
  encode: (value) => Buffer.from(JSON.stringify(value)),
  decode: (bytes) => JSON.parse(Buffer.from(bytes).toString()),
};

/** Stands for "there is no value", which is stored, unlike a deletion. */
const NONE = Uint8Array.of(0xff, 0xfe);
const EXPIRY_BYTES = 8;
const MAX_U64 = 2n ** 64n - 1n;

let options: NamespaceHasher | undefined;
let timed: NamespaceHasher | undefined;

function optionKey(key: DriveKey): Uint8Array {
  options ??= reservedNamespace('option');
  return options.namespace(key);
}

function timedKey(key: DriveKey): Uint8Array {
  timed ??= reservedNamespace('ttl');
  return timed.namespace(key);
}

/** Stores a value, or with `null` that there is none; answers the tail. */
export async function writeOption<T>(
  store: DataStore,
  key: DriveKey,
  value: T | null,
  codec: ValueCodec<T> = jsonCodec as ValueCodec<T>,
): Promise<number> {
  return store.write(optionKey(key), value === null ? NONE : codec.encode(value));
}

/** What `writeOption` stored. Errors: KEY_NOT_FOUND when it never did. */
export function readOption<T>(
  store: DataStore,
  key: DriveKey,
  codec: ValueCodec<T> = jsonCodec as ValueCodec<T>,
): T | null {
  const payload = store.read(optionKey(key))?.payload;
  if (payload === undefined) throw noValue(store);
  return Buffer.compare(payload, NONE) === 0 ? null : codec.decode(payload);
}

/** Stores a value that `readWithTtl` gives for so many seconds; answers the tail. */
export async function writeWithTtl<T>(
  store: DataStore,
  key: DriveKey,
  value: T,
  ttlSeconds: number,
  codec: ValueCodec<T> = jsonCodec as ValueCodec<T>,
): Promise<number> {
  checkCount('ttlSeconds', ttlSeconds, 0);
  const bytes = codec.encode(value);
  checkBytes(bytes);
  const payload = new Uint8Array(EXPIRY_BYTES + bytes.length);
  const expiry = BigInt(nowSeconds()) + BigInt(ttlSeconds);
  new DataView(payload.buffer).setBigUint64(0, expiry < MAX_U64 ? expiry : MAX_U64, true);
  payload.set(bytes, EXPIRY_BYTES);
  return store.write(timedKey(key), payload);
}

/**
 * What `writeWithTtl` stored; undefined once its time is over, and then it is deleted (not by a reader).
 * Errors: KEY_NOT_FOUND when there is none, CORRUPTED_DATA.
 */
export async function readWithTtl<T>(
  store: DataStore,
  key: DriveKey,
  codec: ValueCodec<T> = jsonCodec as ValueCodec<T>,
): Promise<T | undefined> {
  const name = timedKey(key);
  const payload = store.read(name)?.payload;
  if (payload === undefined) throw noValue(store);
  if (payload.length < EXPIRY_BYTES) {
    const place = { path: store.path };
    throw new EtlError('CORRUPTED_DATA', 'a timed value has no time', { place });
  }
  if (!isExpired(payload)) return codec.decode(payload.subarray(EXPIRY_BYTES));
  // By then another value may be there.
  if (store.mode === 'write') await store.deleteIf(name, (entry) => isExpired(entry.payload));
  return undefined;
}

function isExpired(payload: Uint8Array): boolean {
  if (payload.length < EXPIRY_BYTES) return false;
  const view = new DataView(payload.buffer, payload.byteOffset, EXPIRY_BYTES);
  return BigInt(nowSeconds()) >= view.getBigUint64(0, true);
}

function nowSeconds(): number {
  return Math.floor(Date.now() / 1000);
}

function noValue(store: DataStore): EtlError {
  const place = { path: store.path };
  return new EtlError('KEY_NOT_FOUND', 'there is no value of this key', { place });
}
