/** Arrow's dates and times as ISO 8601 text, exact to the last nanosecond. */
import { DataType, DateUnit, type Time, type Timestamp, TimeUnit } from 'apache-arrow';
import type { ColumnView } from './column-view.ts';
import type { JsonOut } from './json-out.ts';

const DAY_SECONDS = 86_400;
/** Ticks in a second and digits behind its point, by unit. */
const UNITS = new Map([
  [TimeUnit.SECOND, { ticks: 1, digits: 0 }],
  [TimeUnit.MILLISECOND, { ticks: 1e3, digits: 3 }],
  [TimeUnit.MICROSECOND, { ticks: 1e6, digits: 6 }],
  [TimeUnit.NANOSECOND, { ticks: 1e9, digits: 9 }],
]);

/**
 * Writes the value of a row of a date, time or timestamp column, in quotes. As many digits as the
 * unit has, so that text orders as time does; Z where the column has a time zone.
 */
export function isoWriter(column: ColumnView, out: JsonOut): (row: number) => void {
  const { type } = column;
  const words = column.values as Int32Array;
  const date = dateWriter(out);
  if (DataType.isDate(type)) {
    if (type.unit === DateUnit.DAY) return (row) => quoted(out, () => date(words[row]!));
    return instantWriter(words, UNITS.get(TimeUnit.MILLISECOND)!, out, { date, dayOnly: true });
  }
  const unit = UNITS.get((type as Timestamp | Time).unit)!;
  if (DataType.isTimestamp(type)) {
    return instantWriter(words, unit, out, { date, zone: Boolean(type.timezone) });
  }
  const isWide = DataType.isTime(type) && type.bitWidth === 64;
  return (row) =>
    quoted(out, () => {
      const low = isWide ? words[row * 2]! : words[row]!;
      const [seconds, ticks] = split(low, isWide ? words[row * 2 + 1]! : low >> 31, unit.ticks);
      clock(out, seconds, ticks, unit.digits);
    });
}

interface InstantForm {
  readonly date: (days: number) => void;
  /** Leave out a time of day of zero. */
  readonly dayOnly?: boolean;
  readonly zone?: boolean;
}

function instantWriter(
  words: Int32Array,
  { ticks, digits }: { ticks: number; digits: number },
  out: JsonOut,
  { date, dayOnly, zone }: InstantForm,
): (row: number) => void {
  return (row) => {
    const [days, ofDay, rest] = splitDays(words[row * 2]!, words[row * 2 + 1]!, ticks);
    out.byte(0x22);
    date(days);
    if (!dayOnly || ofDay !== 0 || rest !== 0) {
      out.byte(0x54);
      clock(out, ofDay, rest, digits);
      if (zone) out.byte(0x5a);
    }
    out.byte(0x22);
  };
}

function quoted(out: JsonOut, write: () => void): void {
  out.byte(0x22);
  write();
  out.byte(0x22);
}

function clock(out: JsonOut, seconds: number, ticks: number, digits: number): void {
  const minutes = Math.floor(seconds / 60);
  const hours = Math.floor(minutes / 60);
  out.padded(hours, 2);
  out.byte(0x3a);
  out.padded(minutes - hours * 60, 2);
  out.byte(0x3a);
  out.padded(seconds - minutes * 60, 2);
  if (digits === 0) return;
  out.byte(0x2e);
  out.padded(ticks, digits);
}

/** Whole seconds and the ticks left, of a 64-bit count of ticks; no BigInt is made. */
function split(low: number, high: number, ticks: number): [number, number] {
  let seconds = Math.floor((high * 2 ** 32 + (low >>> 0)) / ticks);
  if (ticks === 1) return [seconds, 0];
  // The quotient may be off by a little; what is left is exact modulo 2^32, and small.
  let rest = (low - Math.imul(seconds | 0, ticks)) | 0;
  for (; rest < 0; rest += ticks) seconds--;
  for (; rest >= ticks; rest -= ticks) seconds++;
  return [seconds, rest];
}

/** Whole days, the seconds of the day and the ticks left; a BigInt is made where a number cannot count the seconds. */
function splitDays(low: number, high: number, ticks: number): [number, number, number] {
  const [seconds, rest] = split(low, high, ticks);
  if (Number.isSafeInteger(seconds)) {
    const days = Math.floor(seconds / DAY_SECONDS);
    return [days, seconds - days * DAY_SECONDS, rest];
  }
  const value = (BigInt(high) << 32n) + BigInt(low >>> 0);
  const perDay = BigInt(DAY_SECONDS * ticks);
  const ofDay = ((value % perDay) + perDay) % perDay;
  const left = Number(ofDay % BigInt(ticks));
  return [Number((value - ofDay) / perDay), Number(ofDay / BigInt(ticks)), left];
}

/** Writes days since 1970 as a date, the last one from memory. */
function dateWriter(out: JsonOut): (days: number) => void {
  let last = Number.NaN;
  let text: Uint8Array = new Uint8Array(0);
  return (days) => {
    if (days !== last) {
      last = days;
      text = new TextEncoder().encode(dateText(days));
    }
    out.raw(text);
  };
}

/**
 * The civil date of a day, over all years there are.
 * Source: H. Hinnant, "chrono-Compatible Low-Level Date Algorithms" (civil_from_days).
 */
function dateText(days: number): string {
  const fromMarch = days + 719_468;
  const era = Math.floor(fromMarch / 146_097);
  const day = fromMarch - era * 146_097;
  const leaps = Math.floor(day / 1460) - Math.floor(day / 36_524) + Math.floor(day / 146_096);
  const yearOfEra = Math.floor((day - leaps) / 365);
  const century = Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100);
  const dayOfYear = day - (365 * yearOfEra + century);
  const shifted = Math.floor((5 * dayOfYear + 2) / 153);
  const month = shifted < 10 ? shifted + 3 : shifted - 9;
  const year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0);
  const dayOfMonth = dayOfYear - Math.floor((153 * shifted + 2) / 5) + 1;
  return `${yearText(year)}-${twoDigits(month)}-${twoDigits(dayOfMonth)}`;
}

function yearText(year: number): string {
  if (year >= 0 && year <= 9999) return String(year).padStart(4, '0');
  return (year < 0 ? '-' : '+') + String(Math.abs(year)).padStart(6, '0');
}

function twoDigits(value: number): string {
  return String(value).padStart(2, '0');
}
