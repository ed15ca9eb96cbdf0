/** What a chunk's lines are according to `TextDecoder` and `JSON.parse` alone. */
import type { Document } from '../../src/core/batch.ts';

/** A line as the platform's own functions see it. */
export interface ReferenceLine {
  readonly line: number;
  readonly start: number;
  /** One past its last byte, line end excluded. */
  readonly end: number;
  /** Absent where the line is no document within the depth allowed. */
  readonly document?: Document;
}

/** Splits a chunk; blank lines are left out. */
export function referenceLines(bytes: Uint8Array, maxDepth = 512): ReferenceLine[] {
  const lines: ReferenceLine[] = [];
  let start = 0;
  for (let line = 0; start < bytes.length; line++) {
    const newline = bytes.indexOf(0x0a, start);
    const next = newline < 0 ? bytes.length : newline;
    const end = next > start && bytes[next - 1] === 0x0d ? next - 1 : next;
    const content = bytes.subarray(start, end);
    if (content.some((byte) => byte !== 0x20 && byte !== 0x09 && byte !== 0x0d)) {
      const document = parseDocument(content, maxDepth);
      lines.push({ line, start, end, ...(document === undefined ? {} : { document }) });
    }
    start = next + 1;
  }
  return lines;
}

/** The document that the bytes are, or undefined. */
export function parseDocument(bytes: Uint8Array, maxDepth = 512): Document | undefined {
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    const value: unknown = JSON.parse(text);
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
    return isObject && textDepth(text) <= maxDepth ? (value as Document) : undefined;
  } catch {
    return undefined;
  }
}

/** A value as text that tells apart what `JSON.stringify` does not: -0 and numbers beyond doubles. */
export function exactText(value: unknown): string {
  return JSON.stringify(value, (_, each: unknown) => {
    if (typeof each === 'bigint') return `${each}n`;
    const isOdd = Object.is(each, -0) || (typeof each === 'number' && !Number.isFinite(each));
    return isOdd ? `number ${Object.is(each, -0) ? '-0' : each}` : each;
  });
}

/** The deepest nesting in valid JSON text, duplicates that parsing drops included. */
function textDepth(text: string): number {
  let depth = 0;
  let deepest = 0;
  for (const token of text.match(/"(?:[^"\\]|\\.)*"|[{}[\]]/g) ?? []) {
    if (token === '{' || token === '[') deepest = Math.max(deepest, ++depth);
    else if (token === '}' || token === ']') depth--;
  }
  return deepest;
}
