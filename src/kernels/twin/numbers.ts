/** Integers and points in time as columns hold them, read from a scanned line. */
import { Kind, type Scanner } from './scanner.ts';
import { sourceText } from './text.ts';

const INT64_MIN = -(2n ** 63n);
const INT64_MAX = 2n ** 63n - 1n;
/** Every token of this many characters is within the safe integers. */
const SAFE_LENGTH = 15;
const LONGEST_INT64 = String(INT64_MIN).length;

const TIMESTAMP =
  /^(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d+))?)?(?:Z|([+-])(\d\d):?(\d\d))?)?$/;

/** The value of an integer token in the int64 range; undefined for anything else. */
export function readInt64(scanner: Scanner, node: number): bigint | undefined {
  return scanner.kind[node] === Kind.integer ? parseInt64(sourceText(scanner, node)) : undefined;
}

/** The value of a JSON number in the int64 range; undefined with a fraction or exponent, as in `1.0`. */
export function parseInt64(text: string): bigint | undefined {
  if (text.length > LONGEST_INT64 || /[.eE]/.test(text)) return undefined;
  if (text.length <= SAFE_LENGTH) return BigInt(Number(text));
  const value = BigInt(text);
  return value >= INT64_MIN && value <= INT64_MAX ? value : undefined;
}

/** The value of an integer token in the int32 range; undefined for anything else. */
export function readInt32(scanner: Scanner, node: number): number | undefined {
  if (scanner.kind[node] !== Kind.integer) return undefined;
  const value = Number(sourceText(scanner, node));
  return value === (value | 0) ? value | 0 : undefined;
}

/**
 * ISO 8601 text as int64 of `unit` since 1970 UTC: `YYYY-MM-DD[(T| )HH:MM[:SS[.fraction]][Z|±HH[:]MM]]`.
 * UTC where no zone is given; digits beyond the unit are cut off. Undefined for any other text, and
 * for dates and times that do not exist.
 */
export function parseTimestamp(text: string, unit: 'ms' | 'us'): bigint | undefined {
  const match = TIMESTAMP.exec(text);
  if (match === null) return undefined;
  const [, year, month, day, hour = 0, minute = 0, second = 0, fraction = '', sign, ...zone] =
    match;
  const [zoneHour = 0, zoneMinute = 0] = zone.map((part) => Number(part ?? 0));
  if (+hour > 23 || +minute > 59 || +second > 59 || zoneHour > 23 || zoneMinute > 59) {
    return undefined;
  }
  const date = new Date(0);
  date.setUTCFullYear(Number(year), Number(month) - 1, Number(day));
  if (date.getUTCMonth() !== Number(month) - 1 || date.getUTCDate() !== Number(day))
    return undefined;
  const offsetMinutes = (zoneHour * 60 + zoneMinute) * (sign === '-' ? -1 : 1);
  date.setUTCHours(Number(hour), Number(minute) - offsetMinutes, Number(second));
  const digits = fraction.padEnd(6, '0');
  const milliseconds = BigInt(date.getTime()) + BigInt(digits.slice(0, 3));
  return unit === 'ms' ? milliseconds : milliseconds * 1000n + BigInt(digits.slice(3, 6));
}
