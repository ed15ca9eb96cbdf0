/** Arrow's decimals as JSON numbers or strings, with every digit they have. */
import type { ColumnView } from './column-view.ts';
import type { JsonOut } from './json-out.ts';

/** Writes the value of a row of a decimal column of 32 to 256 bits. */
export function decimalWriter(
  column: ColumnView,
  out: JsonOut,
  asString: boolean,
): (row: number) => void {
  const { scale, bitWidth } = column.type as unknown as { scale: number; bitWidth: number };
  const words = column.values as Int32Array;
  const count = bitWidth / 32;
  return (row) => {
    const text = placePoint(readWords(words, row * count, count), scale);
    out.ascii(asString ? `"${text}"` : text);
  };
}

/** The integer in decimal; through BigInt only where it is large. */
function readWords(words: Int32Array, at: number, count: number): string {
  const low = words[at]!;
  let isSmall = true;
  for (let i = 1; i < count; i++) if (words[at + i] !== low >> 31) isSmall = false;
  if (isSmall) return String(low);
  let value = BigInt(words[at + count - 1]!);
  for (let i = count - 2; i >= 0; i--) value = (value << 32n) | BigInt(words[at + i]! >>> 0);
  return String(value);
}

function placePoint(integer: string, scale: number): string {
  if (scale === 0) return integer;
  const sign = integer[0] === '-' ? '-' : '';
  const digits = integer.slice(sign.length);
  if (scale < 0) return digits === '0' ? integer : integer + '0'.repeat(-scale);
  const padded = digits.padStart(scale + 1, '0');
  return `${sign}${padded.slice(0, -scale)}.${padded.slice(-scale)}`;
}
