// Decoding the escapes of a validated JSON string into UTF-8.

/** How a lone surrogate escape is written: as its three WTF-8 bytes, or as U+FFFD. */
export const LONE_KEEP: u32 = 0;
export const LONE_REPLACE: u32 = 1;

// @ts-ignore: decorator
@inline
function hex(c: u32): u32 {
  return c <= 0x39 ? c - 0x30 : (c | 0x20) - 0x57;
}

function hex4(p: usize): u32 {
  return (
    (hex(load<u8>(p)) << 12) | (hex(load<u8>(p, 1)) << 8) | (hex(load<u8>(p, 2)) << 4) | hex(load<u8>(p, 3))
  );
}

function writeCodePoint(out: usize, c: u32): usize {
  if (c < 0x80) {
    store<u8>(out, c);
    return out + 1;
  }
  if (c < 0x800) {
    store<u8>(out, 0xc0 | (c >> 6));
    store<u8>(out, 0x80 | (c & 63), 1);
    return out + 2;
  }
  if (c < 0x10000) {
    store<u8>(out, 0xe0 | (c >> 12));
    store<u8>(out, 0x80 | ((c >> 6) & 63), 1);
    store<u8>(out, 0x80 | (c & 63), 2);
    return out + 3;
  }
  store<u8>(out, 0xf0 | (c >> 18));
  store<u8>(out, 0x80 | ((c >> 12) & 63), 1);
  store<u8>(out, 0x80 | ((c >> 6) & 63), 2);
  store<u8>(out, 0x80 | (c & 63), 3);
  return out + 4;
}

/** Writes the decoded bytes of the string contents [p, end) at `out`; returns their end. Never longer than the input. */
export function decodeEscapes(p: usize, end: usize, out: usize, lone: u32): usize {
  while (p < end) {
    const c = <u32>load<u8>(p);
    if (c != 0x5c) {
      store<u8>(out++, c);
      p++;
      continue;
    }
    const d = <u32>load<u8>(p, 1);
    p += 2;
    if (d == 0x75) {
      let code = hex4(p);
      p += 4;
      if (code >= 0xd800 && code < 0xdc00 && p + 6 <= end && load<u16>(p) == 0x755c) {
        const next = hex4(p + 2);
        if (next >= 0xdc00 && next < 0xe000) {
          code = 0x10000 + ((code - 0xd800) << 10) + (next - 0xdc00);
          p += 6;
        }
      }
      if (lone == LONE_REPLACE && code >= 0xd800 && code < 0xe000) code = 0xfffd;
      out = writeCodePoint(out, code);
      continue;
    }
    let plain = d;
    if (d == 0x62) plain = 8;
    else if (d == 0x66) plain = 12;
    else if (d == 0x6e) plain = 10;
    else if (d == 0x72) plain = 13;
    else if (d == 0x74) plain = 9;
    store<u8>(out++, plain);
  }
  return out;
}
