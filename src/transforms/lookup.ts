/** Puts what a store, a map or a service knows under a document's key into the document. */

import { unlessAborted } from '../core/abort.ts';
import type { Batch } from '../core/batch.ts';
import { checkChoice, checkCount } from '../core/check-option.ts';
import { isEtlError } from '../core/errors.ts';
import { type PathInput, parsePath } from '../core/path.ts';
import type { OnReject } from '../core/reject.ts';
import type { Transform } from '../core/stage.ts';
import { forEachLimited } from './each-document.ts';
import { KeyReader, scalarText } from './key-reader.ts';
import { editLines } from './line-editor.ts';
import { findMember, skipSpace } from './members.ts';
import { Refusal } from './reject-document.ts';

/**
 * Where values come from. Of what it offers the first of these is used: the stored bytes (as
 * `FastStore` has them: they go in as they are), many at once, one at a time (as a `Map` has it).
 * Undefined, and DOCUMENT_NOT_FOUND, mean that there is nothing.
 */
export type LookupSource =
  | { exists(key: string): boolean; getRaw(key: string): Uint8Array }
  | { getMany(keys: readonly string[]): Promise<readonly unknown[]> | readonly unknown[] }
  | { get(key: string): unknown };

export interface LookupOptions {
  readonly from: LookupSource;
  /** Where the key is. Text is the key as it is, other scalars are as JSON writes them. */
  readonly by: PathInput;
  /** The field at the top that takes what was found; one that is there is replaced. */
  readonly as: string;
  /**
   * What becomes of a document for which nothing is found: it stays as it is, gets null, is left out
   * or is rejected. Default 'keep'.
   */
  readonly missing?: 'keep' | 'null' | 'drop' | 'reject';
  /** Calls of `get` under way at a time. Default 16. */
  readonly concurrency?: number;
}

/**
 * Each key is asked for once per batch. Errors: those of the source, unchanged.
 * Rejects: INVALID_DOCUMENT naming the key, with `missing: 'reject'`.
 */
export function lookupTransform(options: LookupOptions): Transform {
  const { from, as, missing = 'keep', concurrency = 16 } = options;
  checkCount('concurrency', concurrency);
  checkChoice('missing', missing, ['keep', 'null', 'drop', 'reject']);
  const reader = new KeyReader([parsePath(options.by)]);
  const name = encoder.encode(as);
  const field = encoder.encode(`${JSON.stringify(as)}:`);

  const join = (batch: Batch, keys: Keys, found: Found, onReject?: OnReject): Batch[] => {
    const kept: number[] = [];
    const values: (Uint8Array | undefined)[] = [];
    for (const [i, key] of keys.entries()) {
      if (key === BAD) continue;
      const value = key === undefined ? undefined : found.get(key);
      if (value === undefined && missing === 'drop') continue;
      kept.push(i);
      values.push(value ?? (missing === 'null' ? NULL : undefined));
    }
    if (kept.length === 0) return [];
    let at = 0;
    const wanted = kept.length === batch.length ? batch : batch.pick(kept);
    return editLines(wanted, onReject, (bytes, start, end, edits) => {
      const key = keys[kept[at]!];
      const value = values[at++];
      if (value === undefined) {
        if (missing === 'keep') return;
        const what = typeof key === 'string' ? JSON.stringify(key) : 'a document without key';
        throw new Refusal(`lookup: there is nothing for ${what}`);
      }
      const there = findMember(bytes, start, as, name);
      if (there) {
        edits.replace(there.start, there.end, value);
        return;
      }
      const isEmpty = skipSpace(bytes, start + 1) === end - 1;
      if (!isEmpty) edits.replace(end - 1, end - 1, COMMA);
      edits.replace(end - 1, end - 1, field);
      edits.replace(end - 1, end - 1, value);
    });
  };
  return {
    name: 'lookup',
    async apply(batch, signal, onReject) {
      const keys: Keys = new Array(batch.length).fill(BAD);
      reader.read(batch, onReject, (index, [value]) => {
        keys[index] = value && scalarText(value);
      });
      const wanted = [...new Set(keys.filter((key) => typeof key === 'string'))] as string[];
      return join(batch, keys, await fetchAll(from, wanted, concurrency, signal), onReject);
    },
  };
}

/** Stands for a document that the kernel could not look into; it has been rejected. */
const BAD = Symbol('bad');

type Keys = (string | undefined | typeof BAD)[];
type Found = Map<string, Uint8Array>;

async function fetchAll(
  from: LookupSource,
  keys: readonly string[],
  concurrency: number,
  signal: AbortSignal,
): Promise<Found> {
  const found: Found = new Map();
  const keep = (key: string, value: unknown): void => {
    const text = value === undefined ? undefined : JSON.stringify(value);
    if (text !== undefined) found.set(key, encoder.encode(text));
  };
  if ('getRaw' in from) {
    for (const key of keys) if (from.exists(key)) found.set(key, from.getRaw(key));
  } else if ('getMany' in from) {
    const values = keys.length > 0 ? await unlessAborted(from.getMany(keys), signal) : [];
    for (const [i, key] of keys.entries()) keep(key, values[i]);
  } else {
    await forEachLimited(keys, concurrency, signal, async (key) => keep(key, await get(from, key)));
  }
  return found;
}

async function get(from: { get(key: string): unknown }, key: string): Promise<unknown> {
  try {
    return await from.get(key);
  } catch (error) {
    if (isEtlError(error, 'DOCUMENT_NOT_FOUND')) return undefined;
    throw error;
  }
}

const encoder = new TextEncoder();
const NULL = encoder.encode('null');
const COMMA = encoder.encode(',');
