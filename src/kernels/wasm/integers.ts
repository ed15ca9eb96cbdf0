// Integers and points in time as 64 bits, read from validated text.
import { isDigit } from './scan';

/** Result of readInteger and readTimestamp. */
export let integer: i64 = 0;

/** Reads an integer token in the int64 range; false if it is none. */
export function readInteger(p: usize, end: usize): bool {
  const negative = load<u8>(p) == 0x2d;
  if (negative) p++;
  if (end - p > 19) return false;
  let value: u64 = 0;
  for (; p < end; p++) {
    const c = <u32>load<u8>(p);
    if (!isDigit(c)) return false;
    value = value * 10 + <u64>(c - 0x30);
  }
  if (value > <u64>0x7fffffffffffffff + <u64>negative) return false;
  integer = negative ? -(<i64>value) : <i64>value;
  return true;
}

/** Reads `n` digits at `p`; -1 if they are not all digits. */
function digits(p: usize, n: usize): i32 {
  let value: i32 = 0;
  for (let i: usize = 0; i < n; i++) {
    const c = <u32>load<u8>(p + i);
    if (!isDigit(c)) return -1;
    value = value * 10 + <i32>(c - 0x30);
  }
  return value;
}

function daysInMonth(year: i32, month: i32): i32 {
  if (month == 2) return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0 ? 29 : 28;
  return month == 4 || month == 6 || month == 9 || month == 11 ? 30 : 31;
}

/** Days from 1970-01-01 in the proleptic Gregorian calendar, years starting in March. */
function daysFromCivil(year: i32, month: i32, day: i32): i64 {
  const y = <i64>(month <= 2 ? year - 1 : year);
  const era = (y >= 0 ? y : y - 399) / 400;
  const ofEra = y - era * 400;
  const ofYear = <i64>((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1);
  return era * 146097 + (ofEra * 365 + ofEra / 4 - ofEra / 100 + ofYear) - 719468;
}

/** Reads ISO 8601 text into units of 10^-places seconds since 1970 UTC; no zone means UTC. */
export function readTimestamp(p: usize, end: usize, places: i32): bool {
  if (end - p < 10 || load<u8>(p, 4) != 0x2d || load<u8>(p, 7) != 0x2d) return false;
  const year = digits(p, 4);
  const month = digits(p + 5, 2);
  const day = digits(p + 8, 2);
  if (year < 0 || month < 1 || month > 12 || day < 1 || day > daysInMonth(year, month)) return false;
  let seconds = daysFromCivil(year, month, day) * 86400;
  let fraction: i64 = 0;
  let scale: i64 = 1;
  for (let i = 0; i < places; i++) scale *= 10;
  p += 10;
  if (p < end) {
    const separator = load<u8>(p);
    if ((separator != 0x54 && separator != 0x20) || end - p < 6 || load<u8>(p, 3) != 0x3a) return false;
    const hour = digits(p + 1, 2);
    const minute = digits(p + 4, 2);
    if (hour < 0 || hour > 23 || minute < 0 || minute > 59) return false;
    seconds += <i64>(hour * 3600 + minute * 60);
    p += 6;
    if (p < end && load<u8>(p) == 0x3a) {
      const second = end - p >= 3 ? digits(p + 1, 2) : -1;
      if (second < 0 || second > 59) return false;
      seconds += <i64>second;
      p += 3;
      if (p < end && load<u8>(p) == 0x2e) {
        p++;
        const first = p;
        let unit = scale;
        for (; p < end && isDigit(load<u8>(p)); p++) {
          unit /= 10;
          fraction += <i64>(load<u8>(p) - 0x30) * unit;
        }
        if (p == first) return false;
      }
    }
    if (p < end) {
      const zone = load<u8>(p);
      if (zone == 0x5a) p++;
      else if (zone == 0x2b || zone == 0x2d) {
        const hours = end - p >= 5 ? digits(p + 1, 2) : -1;
        const colon = <usize>(load<u8>(p, 3) == 0x3a);
        const minutes = end - p >= 5 + colon ? digits(p + 3 + colon, 2) : -1;
        if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59) return false;
        const shift = <i64>(hours * 3600 + minutes * 60);
        seconds += zone == 0x2b ? -shift : shift;
        p += 5 + colon;
      }
    }
  }
  if (p != end) return false;
  integer = seconds * scale + fraction;
  return true;
}

/** True if the number token [p, end) has neither fraction nor exponent. */
export function isInteger(p: usize, end: usize): bool {
  if (load<u8>(p) == 0x2d) p++;
  for (; p < end; p++) if (!isDigit(load<u8>(p))) return false;
  return true;
}

/**
 * Orders the integer token [p, end) against a constant of any size that is not 0: a byte that is 1 if
 * it is negative, then its digits, `length` bytes in all.
 */
export function compareInteger(p: usize, end: usize, constant: usize, length: usize): i32 {
  const negative = load<u8>(p) == 0x2d;
  if (negative) p++;
  const size = end - p;
  const digits = length - 1;
  const below = load<u8>(constant) != 0;
  if (negative != below) return below ? 1 : -1;
  let order = <i32>(size > digits) - <i32>(size < digits);
  if (order == 0) order = memory.compare(p, constant + 1, size);
  return negative ? -order : order;
}
