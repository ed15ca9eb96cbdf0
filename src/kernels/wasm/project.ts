// Writes the projection of the current document from its slots: `{"a":1,"b":{"c":2}}`, values byte
// for byte as they came.
//
// Program: entries of 24 bytes in the order of the output, a parent before its children: u32 slot + 1,
// u32 address of `"key":`, u32 its length, u32 entries below it (0 for a leaf), two spare.
import {
  SLOTS, T_ARRAY, T_OBJECT, T_STRING, T_STRING_ESCAPED,
} from './layout';
import { stamp } from './parse';

const ENTRY_SIZE: usize = 24;

/** Writes `{...}` at `out` and returns its end; 0 if a step is an array, where slots do not reach. */
export function writeProjection(program: usize, entries: u32, out: usize): usize {
  store<u8>(out++, 0x7b);
  const first = out;
  for (let i: u32 = 0; i < entries; ) {
    const entry = program + <usize>i * ENTRY_SIZE;
    const below = load<u32>(entry, 12);
    i += 1 + below;
    const slot = SLOTS + (<usize>load<u32>(entry) << 5) - 32;
    if (load<u32>(slot) != stamp) continue;
    const type = load<u32>(slot, 4);
    if (below) {
      if (type == T_ARRAY) return 0;
      if (type != T_OBJECT) continue;
    }
    if (out != first) store<u8>(out++, 0x2c);
    const keyLength = <usize>load<u32>(entry, 8);
    memory.copy(out, load<u32>(entry, 4), keyLength);
    out += keyLength;
    if (below) {
      out = writeProjection(entry + ENTRY_SIZE, below, out);
      if (!out) return 0;
      continue;
    }
    const quotes = <usize>(type >= T_STRING && type <= T_STRING_ESCAPED);
    const start = <usize>load<u32>(slot, 8) - quotes;
    const length = <usize>load<u32>(slot, 12) + quotes - start;
    memory.copy(out, start, length);
    out += length;
  }
  store<u8>(out, 0x7d);
  return out + 1;
}
