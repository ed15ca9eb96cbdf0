/**
 * Finds the end of a JSON value in bytes that come in pieces: counts brackets, knows strings, judges
 * nothing else. Writes to the bytes: line ends in a value become spaces, in its strings, where none
 * may stand, another control character, so that the value is one line.
 */

export const LINE_END = 0x0a;
export const SPACE = 0x20;
export const QUOTE = 0x22;
export const COMMA = 0x2c;
export const COLON = 0x3a;
export const OPEN_ARRAY = 0x5b;
export const CLOSE_ARRAY = 0x5d;
export const OPEN_OBJECT = 0x7b;
export const CLOSE_OBJECT = 0x7d;
const BACKSLASH = 0x5c;
/** Everything below is no bracket. */
const SMALLEST = OPEN_ARRAY;

/** Space, tab, carriage return or line feed. */
export function isSpace(byte: number): boolean {
  return byte === SPACE || byte === LINE_END || byte === 13 || byte === 9;
}

/** Reads one value after the other; `begin` at its first byte, `scan` from there on. */
export class ValueScanner {
  #kind: 'none' | 'enclosed' | 'scalar' = 'none';
  /** Brackets open, and whether the place is in a string, perhaps behind a backslash. */
  #depth = 0;
  #inString = false;
  #escaped = false;

  /** True within a value. */
  get open(): boolean {
    return this.#kind !== 'none';
  }

  /** True within a value that the end of the input would end too. */
  get endsAnywhere(): boolean {
    return this.#kind === 'scalar';
  }

  begin(byte: number): void {
    const enclosed = byte === OPEN_OBJECT || byte === OPEN_ARRAY || byte === QUOTE;
    this.#kind = enclosed ? 'enclosed' : 'scalar';
    this.#depth = 0;
    this.#inString = false;
    this.#escaped = false;
  }

  end(): void {
    this.#kind = 'none';
  }

  /** One past the value's last byte, or -1 when it is not among the bytes [from, length). */
  scan(bytes: Uint8Array, from: number, length: number): number {
    return this.#kind === 'scalar'
      ? scanScalar(bytes, from, length)
      : this.#scanEnclosed(bytes, from, length);
  }

  #scanEnclosed(bytes: Uint8Array, from: number, length: number): number {
    let depth = this.#depth;
    let inString = this.#inString;
    let at = this.#escaped && from < length ? from + 1 : from;
    while (at < length) {
      if (inString) {
        while (at < length) {
          const byte = bytes[at++]!;
          if (byte === QUOTE) {
            inString = false;
            break;
          }
          if (byte === BACKSLASH) at++;
          else if (byte === LINE_END) bytes[at - 1] = 1;
        }
        if (inString) break;
        if (depth === 0) return at;
      }
      while (at < length) {
        const byte = bytes[at++]!;
        if (byte === QUOTE) {
          inString = true;
          break;
        }
        if (byte < SMALLEST) {
          if (byte === LINE_END) bytes[at - 1] = SPACE;
          continue;
        }
        // Square and curly brackets differ by one bit.
        const folded = byte | 0x20;
        if (folded === OPEN_OBJECT) depth++;
        else if (folded === CLOSE_OBJECT && --depth === 0) return at;
      }
    }
    this.#depth = depth;
    this.#inString = inString;
    this.#escaped = at > length;
    return -1;
  }
}

function scanScalar(bytes: Uint8Array, from: number, length: number): number {
  let at = from;
  while (at < length) {
    const byte = bytes[at]!;
    if (isSpace(byte) || byte === COMMA || byte === CLOSE_ARRAY || byte === CLOSE_OBJECT) return at;
    at++;
  }
  return -1;
}
