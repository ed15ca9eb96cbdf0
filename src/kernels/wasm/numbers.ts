// Numbers. Short ones (up to 8 digits on either side of the point, no exponent) are read without a
// loop by the reader itself; here are the long ones, and the step from digits to a double: exact for
// integers of up to 19 digits, and while the digits fit 2^53 and the power of ten is within 22
// (Clinger's fast path), else `inexact`.
import { R_NUMBER } from './layout';
import { fail, isDigit, readDigits } from './scan';

const POW10: usize = memory.data<f64>([
  1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17,
  1e18, 1e19, 1e20, 1e21, 1e22,
]);

/** True if the last value asked for must be converted by the caller. */
export let inexact: bool = false;

/** Results of `readLongNumber`. */
let longMantissa: u64 = 0;
let longExponent: i32 = 0;
let longDigits: usize = 0;
export let longInteger: bool = false;

/** Reads a number of any form from where its digits should begin; its end, or 0 on a fault. */
export function readLongNumber(p: usize): usize {
  const first = p;
  let mantissa: u64 = 0;
  let c = <u32>load<u8>(p);
  if (!isDigit(c)) return fail(p, R_NUMBER);
  if (c == 0x30 && isDigit(load<u8>(p, 1))) return fail(p + 1, R_NUMBER);
  for (; isDigit(c); c = load<u8>(++p)) mantissa = mantissa * 10 + <u64>(c - 0x30);
  longDigits = p - first;
  longExponent = 0;
  longInteger = true;
  if (c == 0x2e) {
    longInteger = false;
    const point = ++p;
    c = load<u8>(p);
    if (!isDigit(c)) return fail(p, R_NUMBER);
    for (; isDigit(c); c = load<u8>(++p)) mantissa = mantissa * 10 + <u64>(c - 0x30);
    longExponent = <i32>(point - p);
    longDigits += p - point;
  }
  longMantissa = mantissa;
  if ((c | 0x20) == 0x65) {
    longInteger = false;
    c = load<u8>(++p);
    const minus = c == 0x2d;
    if (minus || c == 0x2b) c = load<u8>(++p);
    if (!isDigit(c)) return fail(p, R_NUMBER);
    let e: i32 = 0;
    for (; isDigit(c); c = load<u8>(++p)) if (e < 100000) e = e * 10 + <i32>(c - 0x30);
    longExponent += minus ? -e : e;
  }
  return p;
}

/** The value of the number that `readLongNumber` went over. */
export function longValue(negative: bool): f64 {
  return toDouble(longMantissa, longDigits > 19 ? 99 : longExponent, negative);
}

/** The value of `whole` digits at `p` and, after a point, `fraction` more; each at most 8. */
// @ts-ignore: decorator
@inline
export function shortValue(p: usize, whole: u32, fraction: u32, negative: bool): f64 {
  let mantissa = readDigits(p, whole);
  if (fraction) {
    mantissa = mantissa * <u64>load<f64>(POW10 + (<usize>fraction << 3)) + readDigits(p + whole + 1, fraction);
  }
  return toDouble(mantissa, -(<i32>fraction), negative);
}

// @ts-ignore: decorator
@inline
function toDouble(mantissa: u64, exponent: i32, negative: bool): f64 {
  // The conversion itself rounds as it should, so a mantissa alone may be any.
  inexact = exponent != 0 && (mantissa > 9007199254740992 || exponent < -22 || exponent > 22);
  let number = <f64>mantissa;
  if (inexact) return 0;
  if (exponent < 0) number /= load<f64>(POW10 + (<usize>-exponent << 3));
  else number *= load<f64>(POW10 + (<usize>exponent << 3));
  return negative ? -number : number;
}
