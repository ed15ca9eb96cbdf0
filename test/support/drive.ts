/** Drives in tests: a plain reading of the format, and a life to be interrupted. */
import { crc32 } from 'node:zlib';
import { DataStore } from '../../src/store/index.ts';
import { FaultDisk } from './fault-disk.ts';

/** Payloads by the hex of their key's hash. */
export type Entries = Map<string, string>;

/** What a whole drive holds, read forwards from the tails that its records name. */
export function readReference(bytes: Buffer): { entries: Entries; tails: number[] } {
  const tails: number[] = [];
  for (let tail = bytes.length; tail > 0; tail = Number(bytes.readBigUInt64LE(tail - 12))) {
    tails.unshift(tail);
  }
  const entries: Entries = new Map();
  let before = 0;
  for (const tail of tails) {
    const end = tail - 20;
    const hash = bytes.readBigUInt64LE(end).toString(16).padStart(16, '0');
    const dead = end === before + 1 && bytes[before] === 0;
    const payload = bytes.subarray(dead ? before : Math.ceil(before / 64) * 64, end);
    if (crc32(payload) !== bytes.readUInt32LE(end + 16)) throw new Error(`bad sum at ${end}`);
    entries.delete(hash);
    if (!dead) entries.set(hash, payload.toString('latin1'));
    before = tail;
  }
  return { entries, tails };
}

/** What a store shows; throws when it contradicts itself. */
export function entriesOf(store: DataStore): Entries {
  const entries: Entries = new Map();
  for (const entry of store.iterEntries()) {
    const hash = entry.keyHash.toString(16).padStart(16, '0');
    const payload = Buffer.from(entry.payload).toString('latin1');
    if (entries.has(hash)) throw new Error(`${hash} comes twice`);
    if (!entry.isValidChecksum()) throw new Error(`${hash} is damaged`);
    const read = store.readWithKeyHash(entry.keyHash);
    if (read?.endOffset !== entry.endOffset) throw new Error(`${hash} is read elsewhere`);
    entries.set(hash, payload);
  }
  if (entries.size !== store.len()) throw new Error(`${store.len()} keys, ${entries.size} entries`);
  return entries;
}

/** The same entries. */
export function same(a: Entries, b: Entries): boolean {
  return a.size === b.size && [...a].every(([hash, payload]) => b.get(hash) === payload);
}

/** The bytes of a small drive with entries, replaced ones, deletions, zeros and a stream. */
export async function smallDrive(): Promise<Buffer> {
  const disk = new FaultDisk();
  await disk.mkdir('/d');
  const store = await DataStore.open('/d/x', { disk });
  await store.batchWrite([
    ['a', Buffer.from('first')],
    ['b', Buffer.alloc(130, 'b')],
  ]);
  await store.write('a', Buffer.from('second'));
  await store.delete('b');
  await store.writeStream('s', [Buffer.alloc(70, 's'), Buffer.from('end')]);
  await store.batchWrite([
    ['zeros', Buffer.alloc(40)],
    ['b', Buffer.from('again')],
    ['one', Buffer.from('1')],
  ]);
  await store.batchDelete(['a', 'one']);
  await store.write('last', Buffer.alloc(21, 'last'));
  await store.close();
  return Buffer.from(disk.current().get('/d/x')!);
}
