/**
 * The kernel in plain TypeScript: serves where WebAssembly SIMD is missing, and is what the
 * WebAssembly kernel is compared with. Keeps nothing between calls but the last key's hash.
 */
import type { Document } from '../../core/batch.ts';
import type { Kernel } from '../types.ts';
import { twinCodec } from './codec.ts';
import { createTwinBuilder } from './columns.ts';
import { createTwinDriveTable } from './drive-table.ts';
import { encodeEntries } from './entries.ts';
import { createTwinIndex } from './id-index.ts';
import { readLines, splitLines } from './lines.ts';
import { createTwinLocator } from './locator.ts';
import { createTwinObserver } from './observer.ts';
import { createTwinSelector } from './selector.ts';
import { hashBytes, hashInto } from './xxh3.ts';

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** A kernel without WebAssembly. */
export function createTwinKernel(): Kernel {
  const keyHash = new Uint32Array(2);
  let scratch = new Uint8Array(256);
  return {
    name: 'typescript',
    keyHash,
    hash: hashBytes,
    hashKey: (id) => {
      // A UTF-16 unit takes at most three bytes.
      if (id.length * 3 > scratch.length) scratch = new Uint8Array(id.length * 3);
      hashInto(keyHash, scratch, 0, writeUtf8(id, scratch));
    },
    lines: (bytes, options) => readLines(bytes, options),
    split: splitLines,
    document: parseDocument,
    selector: createTwinSelector,
    columns: createTwinBuilder,
    locator: createTwinLocator,
    observer: createTwinObserver,
    codec: twinCodec,
    createIndex: createTwinIndex,
    entries: encodeEntries,
    createDriveTable: createTwinDriveTable,
  };
}

function parseDocument(line: Uint8Array): Document | undefined {
  let value: unknown;
  try {
    value = JSON.parse(decoder.decode(line));
  } catch {
    return undefined;
  }
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
  return isObject ? (value as Document) : undefined;
}

/** Writes the text's UTF-8 and returns its length; ASCII, which ids mostly are, without garbage. */
function writeUtf8(text: string, target: Uint8Array): number {
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit >= 0x80) return encoder.encodeInto(text, target).written;
    target[i] = unit;
  }
  return text.length;
}
