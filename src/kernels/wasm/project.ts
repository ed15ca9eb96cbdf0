// Writes the projection of the current document: `{"a":1,"b":{"c":2}}`, values byte for byte as they
// came. Taken from its slots as far as paths lead through objects; what is inside arrays is looked up
// in the bytes. Never longer than the document.
//
// Program: entries of 24 bytes in the order of the output, a parent before its children: u32 slot + 1,
// u32 address of `"key":`, u32 its length, u32 entries below it (0 for a leaf), u32 address of the
// names below it (see cursor.ts), u32 spare.
import {
  PLACES, SLOTS, T_ARRAY, T_OBJECT, T_STRING, T_STRING_ESCAPED,
} from './layout';
import { copyBytes, firstElement, locate, nextElement, skipValue } from './cursor';
import { stamp } from './values';

const ENTRY_SIZE: usize = 24;

/** Writes `{...}` at `out` and returns its end. `scratch` has room for a key. */
export function writeProjection(program: usize, entries: u32, out: usize, scratch: usize): usize {
  store<u8>(out++, 0x7b);
  const first = out;
  for (let i: u32 = 0; i < entries; ) {
    const entry = program + <usize>i * ENTRY_SIZE;
    const below = load<u32>(entry, 12);
    i += 1 + below;
    const slot = SLOTS + (<usize>load<u32>(entry) << 5) - 32;
    if (load<u32>(slot) != stamp) continue;
    const type = load<u32>(slot, 4);
    if (below && type != T_OBJECT && type != T_ARRAY) continue;
    if (out != first) store<u8>(out++, 0x2c);
    out = copyBytes(out, load<u32>(entry, 4), load<u32>(entry, 8));
    if (below) {
      out =
        type == T_OBJECT
          ? writeProjection(entry + ENTRY_SIZE, below, out, scratch)
          : writeElements(entry, load<u32>(slot, 8), out, PLACES, scratch);
      continue;
    }
    const quotes = <usize>(type >= T_STRING && type <= T_STRING_ESCAPED);
    const start = <usize>load<u32>(slot, 8) - quotes;
    out = copyBytes(out, start, <usize>load<u32>(slot, 12) + quotes - start);
  }
  store<u8>(out, 0x7d);
  return out + 1;
}

/** Writes what the entries below `parent` keep of the array at `p`; other elements are left out. */
function writeElements(parent: usize, p: usize, out: usize, places: usize, scratch: usize): usize {
  store<u8>(out++, 0x5b);
  const first = out;
  for (let at = firstElement(p); at; ) {
    if (load<u8>(at) != 0x7b) {
      at = nextElement(skipValue(at));
      continue;
    }
    if (out != first) store<u8>(out++, 0x2c);
    out = writeFields(parent, at, out, places, scratch);
    at = nextElement(objectEnd);
  }
  store<u8>(out, 0x5d);
  return out + 1;
}

/** The byte after the object that `writeFields` was given last. */
let objectEnd: usize = 0;

/** Writes what the entries below `parent` keep of the object at `p`. Free memory for places begins at `places`. */
function writeFields(parent: usize, p: usize, out: usize, places: usize, scratch: usize): usize {
  const names = <usize>load<u32>(parent, 16);
  const end = locate(p, names, places, scratch);
  const free = places + (<usize>load<u32>(names) << 2);
  const last = parent + <usize>load<u32>(parent, 12) * ENTRY_SIZE;
  store<u8>(out++, 0x7b);
  const first = out;
  for (let entry = parent + ENTRY_SIZE; entry <= last; places += 4) {
    const value = <usize>load<u32>(places);
    const below = load<u32>(entry, 12);
    const c = value ? load<u8>(value) : 0;
    const isContainer = c == 0x7b || c == 0x5b;
    if (value && (!below || isContainer)) {
      if (out != first) store<u8>(out++, 0x2c);
      out = copyBytes(out, load<u32>(entry, 4), load<u32>(entry, 8));
      if (!below) out = copyBytes(out, value, skipValue(value) - value);
      else if (c == 0x7b) out = writeFields(entry, value, out, free, scratch);
      else out = writeElements(entry, value, out, free, scratch);
    }
    entry += <usize>(1 + below) * ENTRY_SIZE;
  }
  store<u8>(out, 0x7d);
  objectEnd = end;
  return out + 1;
}
