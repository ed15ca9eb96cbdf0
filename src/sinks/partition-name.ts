/**
 * Names of partitions' folders, in the form that Hive, Spark, DuckDB and Polars read:
 * `country=DE/year=2024`. Every name stays inside its folder whatever the value: what could lead
 * elsewhere, or what some file system forbids, is written as `%` and two hexadecimal digits.
 */

import { scalarText } from '../transforms/key-reader.ts';
import type { RawValue } from '../transforms/raw-value.ts';
import { Refusal } from '../transforms/reject-document.ts';

/** What readers take for null; also for a value that is missing. */
const NOTHING = '__HIVE_DEFAULT_PARTITION__';
/** Most bytes of a name in common file systems. */
const MAX_NAME_BYTES = 255;

/** `field=value`. Throws a Refusal for objects, arrays, and text too long for a name. */
export function partitionName(field: string, value: RawValue | undefined): string {
  const isNull = value === undefined || value.bytes[value.start] === 0x6e;
  const text = isNull ? NOTHING : scalarText(value);
  if (text === undefined) throw new Refusal(`partitionBy: ${field} is an object or array`);
  const name = `${escapeName(field)}=${isNull ? text : escapeValue(text)}`;
  if (new TextEncoder().encode(name).length <= MAX_NAME_BYTES) return name;
  throw new Refusal(`partitionBy: the value of ${field} is too long for the name of a folder`);
}

/** Two folders with one of these may be the same on file systems that ignore case or composition. */
export function foldName(path: string): string {
  return path.normalize('NFC').toLowerCase();
}

function escapeValue(text: string): string {
  // It would read as null.
  return text === NOTHING ? `%5F${text.slice(1)}` : escapeName(text);
}

function escapeName(text: string): string {
  // Lone surrogates have no name: what is shown in their place has.
  const shown = Buffer.from(text).toString();
  return shown
    .replace(/[\p{Cc}"#%'*/:<=>?\\[\]^{|}]/gu, escapeChar)
    .replace(/^[. ]|[. ]$/g, escapeChar);
}

/** Of the UTF-8 bytes. */
function escapeChar(char: string): string {
  const bytes = [...new TextEncoder().encode(char)];
  return bytes.map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`).join('');
}
