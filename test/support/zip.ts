/**
 * ZIP archives byte by byte, with anything in them that a hostile hand may put there. Independent of
 * the writer under test.
 */
import { crc32, deflateRawSync } from 'node:zlib';

export interface ZipPart {
  readonly name: string | Buffer;
  readonly data?: Buffer | string;
  /** 0 stored (default), 8 deflated; any other is only claimed. */
  readonly method?: number;
  readonly flags?: number;
  /** The upper half of the external attributes: a Unix mode. */
  readonly mode?: number;
  /** Claims that differ from the truth. */
  readonly size?: number;
  readonly packedSize?: number;
  readonly crc?: number;
  /** Another name in the entry's own header. */
  readonly localName?: string;
  /** Instead of an entry of its own: the contents of the part of this number. */
  readonly sameAs?: number;
  /** Instead of an entry of its own: what the contents of the part of this number begin with. */
  readonly within?: number;
}

/** The archive, and where each part's contents begin in it. */
export function zipOf(parts: readonly ZipPart[]): { bytes: Buffer; starts: number[] } {
  const out: Buffer[] = [];
  const records: Buffer[] = [];
  const offsets: number[] = [];
  const starts: number[] = [];
  let at = 0;
  const put = (bytes: Buffer): void => {
    out.push(bytes);
    at += bytes.length;
  };
  for (const part of parts) {
    const name = Buffer.from(part.name);
    const data = Buffer.from(part.data ?? '');
    const packed = part.method === 8 ? deflateRawSync(data, { level: 9 }) : data;
    const { sameAs, within } = part;
    const stands = within === undefined ? offsets[sameAs ?? -1] : starts[within];
    const offset = stands ?? at;
    const fields = Buffer.alloc(26);
    fields.writeUInt16LE(20, 0);
    fields.writeUInt16LE(part.flags ?? 0x800, 2);
    fields.writeUInt16LE(part.method ?? 0, 4);
    fields.writeUInt16LE(0x21, 8);
    fields.writeUInt32LE(part.crc ?? crc32(data), 10);
    fields.writeUInt32LE(part.packedSize ?? packed.length, 14);
    fields.writeUInt32LE(part.size ?? data.length, 18);
    fields.writeUInt16LE(name.length, 22);
    offsets.push(offset);
    if (stands === undefined) {
      const local = Buffer.from(part.localName ?? name);
      const own = Buffer.from(fields);
      own.writeUInt16LE(local.length, 22);
      put(Buffer.concat([Buffer.from('PK\x03\x04'), own, local]));
      starts.push(at);
      put(packed);
    } else starts.push(starts[sameAs ?? within!]!);
    const rest = Buffer.alloc(14);
    rest.writeUInt32LE(((part.mode ?? 0) * 0x1_0000) >>> 0, 6);
    rest.writeUInt32LE(offset, 10);
    const version = Buffer.from([63, 3]);
    records.push(Buffer.concat([Buffer.from('PK\x01\x02'), version, fields, rest, name]));
  }
  const start = at;
  for (const record of records) put(record);
  const end = Buffer.alloc(22);
  end.write('PK\x05\x06', 'latin1');
  end.writeUInt16LE(records.length, 8);
  end.writeUInt16LE(records.length, 10);
  end.writeUInt32LE(at - start, 12);
  end.writeUInt32LE(start, 16);
  put(end);
  return { bytes: Buffer.concat(out), starts };
}
