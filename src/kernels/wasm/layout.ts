// Where things stand in the memory of the "lines" module. The loader (wasm-memory.ts) repeats the
// addresses it needs; a unit test compares both. Everything up to INPUT has a fixed size, so growth
// for a large chunk never moves anything.

/** Results of the last call, u32 words; see `Word`. */
export const STATE: usize = 0x10000;
/** Bad lines: start, end, line, offset, reason, documents before; 24 bytes each. */
export const BAD: usize = 0x11000;
export const BAD_LIMIT: u32 = 1000;
/** What was found at the paths of interest in the current document; 32 bytes each. */
export const SLOTS: usize = 0x18000;
export const SLOT_LIMIT: u32 = 512;
/** Open containers, 16 bytes each. */
export const STACK: usize = 0x1c000;
export const STACK_LIMIT: u32 = 8192;
/** Addresses of the members of objects inside arrays, a u32 each, a group per open object. */
export const PLACES: usize = 0x3c000;
/** Paths met, 64 bytes each; see graph.ts. */
export const NODES: usize = 0x40000;
export const NODE_SIZE: usize = 64;
export const NODE_LIMIT: u32 = 4096;
/** Heads of the chains by (parent, key). */
export const HEADS: usize = 0x80000;
export const HEAD_MASK: u32 = 8191;
/** Value kinds counted per node, 48 bytes each. */
export const STATS: usize = 0x88000;
export const STAT_SIZE: usize = 48;
/** Decoded key bytes. */
export const KEYS: usize = 0xb8000;
export const KEYS_END: usize = 0xec000;
/** Powers of five, 16 bytes each, written by the loader; see decimal.ts. */
export const POWERS: usize = 0xec000;
/** Compiled predicate, projection and columns, written by the loader. */
export const PROGRAM: usize = 0xf0000;
/** Learned bytes between values, 80 bytes each; see graph.ts. */
export const TRANSITIONS: usize = 0x100000;
export const TRANSITION_SIZE: usize = 80;
export const TRANSITION_LIMIT: u32 = 8192;
export const LITERAL_LIMIT: usize = 64;
/** Values of documents to materialise, 16 bytes each. */
export const TAPE: usize = 0x1a0000;
export const TAPE_END: usize = 0x2a0000;
/** Line records, 32 bytes each. */
export const RECORDS: usize = 0x2a0000;
export const RECORDS_END: usize = 0x3a0000;
/** Column scratch. */
export const COLUMNS: usize = 0x3a0000;
/** Plans, how lately each was used, and the containers open while one is followed; see plan.ts. */
export const PLANS: usize = 0x5a0000;
export const PLAN_SIZE: usize = 0x4000;
export const PLAN_COUNT: u32 = 8;
export const PLAN_ORDER: usize = 0x5c0000;
export const PLAN_OPENINGS: usize = 0x5c0100;
/** Short strings seen lately, 16 bytes each, and their stamps, a u32 each; see texts.ts. */
export const TEXT_BITS: u32 = 11;
export const TEXTS: usize = 0x5d0000;
export const STAMPS: usize = 0x5d8000;
/** The chunk, then 64 bytes of padding that begin with a newline, then output up to `outEnd`. */
export const INPUT: usize = 0x5e0000;

/** Value types on the tape and in slots. */
export const T_NULL: u32 = 1;
export const T_FALSE: u32 = 2;
export const T_TRUE: u32 = 3;
/** A number whose double is exact by the fast path. */
export const T_NUMBER: u32 = 4;
/** A number that needs the caller's exact conversion. */
export const T_NUMBER_SLOW: u32 = 5;
/** ASCII without escapes. */
export const T_STRING: u32 = 6;
/** UTF-8 beyond ASCII without escapes. */
export const T_STRING_UTF8: u32 = 7;
/** With escapes. */
export const T_STRING_ESCAPED: u32 = 8;
export const T_OBJECT: u32 = 9;
export const T_ARRAY: u32 = 10;
export const T_END: u32 = 11;

/** Reasons, the same numbers as reasons.ts. */
export const R_END: u32 = 1;
export const R_VALUE: u32 = 2;
export const R_COMMA_OR_BRACE: u32 = 3;
export const R_COMMA_OR_BRACKET: u32 = 4;
export const R_KEY: u32 = 5;
export const R_COLON: u32 = 6;
export const R_CONTROL: u32 = 7;
export const R_ESCAPE: u32 = 8;
export const R_NUMBER: u32 = 9;
export const R_TRAILING: u32 = 10;
export const R_UTF8: u32 = 11;
export const R_DEPTH: u32 = 12;
export const R_NOT_OBJECT: u32 = 13;
