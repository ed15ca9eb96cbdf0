// Numbers. Short ones (up to 8 digits on either side of the point, no exponent) are read without a
// loop by the reader itself; here are the long ones, and the step from digits to a double: at once
// while the digits fit 2^53 and the power of ten is within 22 (Clinger's fast path), by decimal.ts
// otherwise. What even that cannot decide (ties hidden behind the 19th digit) is `inexact`.
import { decimalToDouble, undecided } from './decimal';
import { R_NUMBER } from './layout';
import { fail, isDigit, readDigits } from './scan';

const POW10: usize = memory.data<f64>([
  1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17,
  1e18, 1e19, 1e20, 1e21, 1e22,
]);

/** True if the last value asked for must be converted by the caller. */
export let inexact: bool = false;

/** Digits kept of a number; what follows them only decides ties. */
const KEPT: u32 = 19;

/** Results of `readLongNumber`: the first significant digits, and what power of ten they stand at. */
let longMantissa: u64 = 0;
let longExponent: i32 = 0;
/** A digit that was not kept is not 0. */
let longCut: bool = false;
let kept: u32 = 0;
export let longInteger: bool = false;

/** Takes one digit in front of the point (`step` 0) or behind it (-1). */
// @ts-ignore: decorator
@inline
function takeDigit(c: u32, step: i32): void {
  const digit = <u64>(c - 0x30);
  if (kept < KEPT) {
    longMantissa = longMantissa * 10 + digit;
    kept += <u32>(longMantissa != 0);
    longExponent += step;
  } else {
    longCut = longCut || digit != 0;
    longExponent += step + 1;
  }
}

/** Reads a number of any form from where its digits should begin; its end, or 0 on a fault. */
export function readLongNumber(p: usize): usize {
  let c = <u32>load<u8>(p);
  if (!isDigit(c)) return fail(p, R_NUMBER);
  if (c == 0x30 && isDigit(load<u8>(p, 1))) return fail(p + 1, R_NUMBER);
  longMantissa = 0;
  longExponent = 0;
  longCut = false;
  kept = 0;
  longInteger = true;
  for (; isDigit(c); c = load<u8>(++p)) takeDigit(c, 0);
  if (c == 0x2e) {
    longInteger = false;
    c = load<u8>(++p);
    if (!isDigit(c)) return fail(p, R_NUMBER);
    for (; isDigit(c); c = load<u8>(++p)) takeDigit(c, -1);
  }
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
  if (!longCut) return toDouble(longMantissa, longExponent, negative);
  // The digits cut off lie between these two; mostly both round to the same double.
  const lower = decimalToDouble(longMantissa, longExponent);
  const unsure = undecided;
  const upper = decimalToDouble(longMantissa + 1, longExponent);
  inexact = unsure || undecided || lower != upper;
  return negative ? -lower : lower;
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
  inexact = false;
  // The conversion itself rounds as it should, so a mantissa alone may be any.
  let number = <f64>mantissa;
  if (exponent != 0) {
    if (mantissa > 9007199254740992 || exponent < -22 || exponent > 22) {
      number = decimalToDouble(mantissa, exponent);
      inexact = undecided;
    } else if (exponent < 0) number /= load<f64>(POW10 + (<usize>-exponent << 3));
    else number *= load<f64>(POW10 + (<usize>exponent << 3));
  }
  return negative ? -number : number;
}
