// Where things stand in the memory of the "csv" module. The loader (csv-machine.ts) repeats the
// addresses it needs; a unit test compares both. Everything up to INPUT has a fixed size, so growth
// for a large chunk never moves anything.

/** Results of the last call, u32 words; see csv.ts. */
export const STATE: usize = 0x10000;
/** Bad rows: start, end, line, offset, reason, documents before, fields; 28 bytes each. */
export const BAD: usize = 0x11000;
export const BAD_SIZE: usize = 28;
export const BAD_END: usize = 0x17d60;
/** Texts that mean null: a u32 length and the bytes, each; a length of 0xffffffff ends them. */
export const NULLS: usize = 0x18000;
export const NULLS_END: usize = 0x20000;
/**
 * Columns, 32 bytes each: address and length of the key's literal (`,"key":"`), type, and of the
 * last call: misfits, offset and line of the first row with one. One more for surplus fields.
 */
export const COLUMNS: usize = 0x20000;
export const COLUMN_SIZE: usize = 32;
export const COLUMNS_END: usize = 0xa0000;
/** The keys' literals, each padded to a multiple of 16 bytes. */
export const KEYS: usize = 0xa0000;
export const KEYS_END: usize = 0x1a0000;
/** Line records, 32 bytes each. */
export const RECORDS: usize = 0x1a0000;
export const RECORDS_END: usize = 0x2a0000;
/** Where each row stood: offset, line, ordinal; 12 bytes each. */
export const SITES: usize = 0x2a0000;
/** Addresses of the columns whose value does not fit, of the current row; a u32 each. */
export const MISFITS: usize = 0x300000;
/** The chunk, then 64 bytes of padding that begin with a newline, then output up to `outEnd`. */
export const INPUT: usize = 0x310000;

/** Column types. */
export const STRING: u32 = 0;
export const INTEGER: u32 = 1;
export const NUMBER: u32 = 2;
export const BOOLEAN: u32 = 3;

/** What an empty field becomes; a type that is no string has no empty text, it takes null. */
export const EMPTY_NULL: u32 = 0;
export const EMPTY_OMIT: u32 = 1;
export const EMPTY_STRING: u32 = 2;

/** What a value becomes that does not fit its column. */
export const MISFIT_STRING: u32 = 0;
export const MISFIT_NULL: u32 = 1;
export const MISFIT_ERROR: u32 = 2;

/** Reasons, the same numbers as in csv-types.ts. */
export const R_CLOSING: u32 = 1;
export const R_UNCLOSED: u32 = 2;
export const R_SURPLUS: u32 = 3;
export const R_MISSING: u32 = 4;
export const R_MISFIT: u32 = 5;
export const R_UTF8: u32 = 6;
export const R_LONG: u32 = 7;

/**
 * Entries of the table, the same numbers as in csv-objects.ts: 16 bytes a field, of which the first
 * word is one of these. Texts have their place in the next two words, whole numbers their value in
 * the next, other numbers theirs in the last two.
 */
export const ENTRY_SIZE: usize = 16;
export const ENTRY_NULL: u32 = 0;
export const ENTRY_OMIT: u32 = 1;
export const ENTRY_TRUE: u32 = 2;
export const ENTRY_FALSE: u32 = 3;
/** A whole number of 31 bits and a sign; not -0. */
export const ENTRY_INTEGER: u32 = 4;
export const ENTRY_DOUBLE: u32 = 5;
/** A number that the loader converts from its text. */
export const ENTRY_DIGITS: u32 = 6;
export const ENTRY_ASCII: u32 = 7;
export const ENTRY_UTF8: u32 = 8;
/** UTF-8 as it stands between quotes, escapes and all. */
export const ENTRY_ESCAPED: u32 = 9;
