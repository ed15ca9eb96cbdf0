/** Entries of an index.bin body. */
import { LineRecord, RECORD_WORDS } from '../../core/batch.ts';

/** Bytes of an entry beside its id. */
const ENTRY_BYTES = 14;

/** As `Kernel.entries`. */
export function encodeEntries(
  bytes: Uint8Array,
  records: Uint32Array,
  from: number,
  to: number,
  base: number,
): Uint8Array {
  const idOf = (i: number): Uint8Array => {
    const word = i * RECORD_WORDS;
    return bytes.subarray(records[word + LineRecord.keyStart], records[word + LineRecord.keyEnd]);
  };
  let size = 0;
  for (let i = from; i < to; i++) size += idOf(i).length + ENTRY_BYTES;
  const out = new Uint8Array(size);
  const view = new DataView(out.buffer);
  let at = 0;
  for (let i = from; i < to; i++) {
    const id = idOf(i);
    const start = records[i * RECORD_WORDS]!;
    view.setUint16(at, id.length, true);
    out.set(id, at + 2);
    at += 2 + id.length;
    view.setBigUint64(at, BigInt(base + start), true);
    view.setUint32(at + 8, records[i * RECORD_WORDS + LineRecord.end]! - start + 1, true);
    at += 12;
  }
  return out;
}
