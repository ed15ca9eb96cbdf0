// What the loader and the "lines" module say to each other in numbers.
import { STATE } from './layout';

/** What to do with each document. */
export const MODE_LINES: u32 = 0;
export const MODE_PROJECT: u32 = 1;
export const MODE_TAPE: u32 = 2;
export const MODE_COLUMNS: u32 = 3;
export const MODE_OBSERVE: u32 = 4;
export const MODE_PLACES: u32 = 5;

/** Why a call ended. */
export const DONE: u32 = 0;
export const FULL: u32 = 1;
export const SLOW: u32 = 2;
export const MISFIT: u32 = 3;

/** Words of STATE. */
export const AT_STATUS: usize = STATE;
export const AT_COUNT: usize = STATE + 4;
export const AT_BAD: usize = STATE + 8;
export const AT_LINE: usize = STATE + 12;
export const AT_GOOD: usize = STATE + 16;
export const AT_DENSE: usize = STATE + 20;
export const AT_CANONICAL: usize = STATE + 24;
export const AT_OUT: usize = STATE + 28;
export const AT_DOC_START: usize = STATE + 32;
export const AT_DOC_END: usize = STATE + 36;
export const AT_DOC_LINE: usize = STATE + 40;
