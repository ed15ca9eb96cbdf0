/** Keeps some documents: by a predicate on bytes, or by a function on objects. */
import { type Batch, type Document, RECORD_WORDS } from '../core/batch.ts';
import type { Predicate } from '../core/predicate.ts';
import type { Transform } from '../core/stage.ts';
import { sharedKernel } from '../kernels/index.ts';
import type { Selector } from '../kernels/types.ts';
import { type DocumentFunction, runEach } from './each-document.ts';
import { refuseBad } from './refuse-bad.ts';

/**
 * A predicate works on bytes and makes no objects. A function sees documents, which it must not
 * change; what it keeps goes on as the bytes it was, where there are any.
 * Errors: the function's own, unchanged; INVALID_DOCUMENT for documents that JSON cannot hold.
 */
export function filterTransform<T extends object = Document>(
  keep: Predicate | DocumentFunction<T, boolean>,
): Transform {
  return typeof keep === 'function' ? filterByFunction(keep) : filterByPredicate(keep);
}

function filterByPredicate(where: Predicate): Transform {
  let selector: Selector | undefined;
  return {
    name: 'filter',
    apply(batch) {
      selector ??= sharedKernel().selector({ where });
      const table = selector.filter(batch.bytes());
      refuseBad(batch, table.bad);
      if (table.count === batch.length) return [batch];
      return table.count === 0 ? [] : [batch.deriveLines(table)];
    },
  };
}

function filterByFunction<T extends object>(keep: DocumentFunction<T, boolean>): Transform {
  return {
    name: 'filter',
    apply(batch, signal) {
      const flags = runEach(batch.documents(), keep, 1, signal);
      return Array.isArray(flags)
        ? keepFlagged(batch, flags)
        : flags.then((settled) => keepFlagged(batch, settled));
    },
  };
}

function keepFlagged(batch: Batch, flags: readonly boolean[]): Batch[] {
  const kept: number[] = [];
  for (let i = 0; i < flags.length; i++) if (flags[i]) kept.push(i);
  if (kept.length === batch.length) return [batch];
  if (kept.length === 0) return [];
  const documents = batch.documents();
  const chosen = kept.map((index) => documents[index]!);
  if (!batch.hasBytes) return [batch.deriveDocuments(chosen, kept)];
  const lines = batch.denseLines();
  const records = new Uint32Array(kept.length * RECORD_WORDS);
  for (let i = 0; i < kept.length; i++) {
    const from = kept[i]! * RECORD_WORDS;
    records.set(lines.records.subarray(from, from + RECORD_WORDS), i * RECORD_WORDS);
  }
  return [batch.pickLines({ ...lines, records, count: kept.length, dense: false }, kept, chosen)];
}
