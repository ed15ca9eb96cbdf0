/** Which parts of data.jsonl a scan with a predicate reads, by the statistics of a column snapshot. */
import type { Predicate } from '../../core/predicate.ts';
import type { Part } from '../scan-snapshot.ts';
import { type CollectionState, holdsFor, openSnapshot } from './manifest.ts';
import { mayMatch } from './statistics.ts';

/**
 * The bytes in which documents may stand that satisfy the predicate, by offset: all but the chunks whose
 * statistics rule that out. Exact whatever was deleted or replaced since, as bytes before the snapshot's
 * end hold no documents but those that it has seen.
 */
export async function partsOf(state: CollectionState, where: Predicate): Promise<readonly Part[]> {
  const all: Part = [0, state.snapshot.end];
  const found = await openSnapshot(state);
  await found?.drive.close();
  if (!found || !(await holdsFor(found.manifest, state))) return [all];
  const { definition, columns, chunks } = found.manifest;
  // Of documents that the snapshot did not take nothing is known.
  if (definition.where !== undefined) return [all];
  const parts: Part[] = [];
  let from = 0;
  for (const chunk of chunks) {
    if (mayMatch(where, columns, chunk.stats)) continue;
    if (chunk.from > from) parts.push([from, chunk.from]);
    from = chunk.to;
  }
  return from < all[1] ? [...parts, [from, all[1]]] : parts;
}
