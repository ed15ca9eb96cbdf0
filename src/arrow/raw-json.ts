/** JSON text that stands in a column, put into a document as what it says. */
import type { JsonOut } from './json-out.ts';

/**
 * Writes the text as it is, line ends between its tokens as spaces. Whoever reads the line finds out
 * whether it is JSON; here it is made sure that it is no more than one value: that no bracket of the
 * document is closed from inside, and no comma or colon stands outside of brackets and strings. What is
 * more becomes `!` and the text as a string, which no reader takes for JSON.
 */
export function embedJson(out: JsonOut, text: Uint8Array, from: number, to: number): void {
  const begin = out.at;
  if (copyValue(out, text, from, to)) return;
  out.at = begin;
  out.byte(0x21);
  out.string(text, from, to);
}

function copyValue(out: JsonOut, text: Uint8Array, from: number, to: number): boolean {
  out.reserve(to - from);
  const { bytes } = out;
  let { at } = out;
  let depth = 0;
  let inString = false;
  for (let i = from; i < to; i++) {
    let byte = text[i]!;
    if (inString) {
      if (byte === 0x22) inString = false;
      else if (byte === 0x5c && i + 1 < to) {
        bytes[at++] = byte;
        byte = text[++i]!;
      }
    } else if (byte === 0x22) inString = true;
    else if (byte === 0x7b || byte === 0x5b) depth++;
    else if (byte === 0x7d || byte === 0x5d) depth--;
    else if (byte === 0x0a || byte === 0x0d) byte = 0x20;
    const outside = depth === 0 && !inString && (byte === 0x2c || byte === 0x3a);
    // A line end in a string is no JSON, and would be the end of the line.
    if (depth < 0 || outside || byte === 0x0a) return false;
    bytes[at++] = byte;
  }
  out.at = at;
  return depth === 0 && !inString;
}
