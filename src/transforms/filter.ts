/** Keeps some documents: by a predicate on bytes, or by a function on objects. */
import type { Batch, Document } from '../core/batch.ts';
import type { Predicate } from '../core/predicate.ts';
import type { Transform } from '../core/stage.ts';
import { sharedKernel } from '../kernels/index.ts';
import type { Selector } from '../kernels/types.ts';
import {
  type CallOptions,
  checkCalls,
  type DocumentFunction,
  REJECTED,
  runEach,
} from './each-document.ts';
import { rejectBad } from './reject-document.ts';

/**
 * A predicate works on bytes and makes no objects. A function sees documents, which it must not
 * change; what it keeps goes on as the bytes it was, where there are any.
 * Errors: the function's own, unchanged, unless `onThrow` is 'reject'. Rejects: INVALID_DOCUMENT for
 * documents that JSON cannot hold, NESTING_TOO_DEEP.
 */
export function filterTransform<T extends object = Document>(
  keep: Predicate | DocumentFunction<T, boolean>,
  options: CallOptions = {},
): Transform {
  return typeof keep === 'function' ? filterByFunction(keep, options) : filterByPredicate(keep);
}

function filterByPredicate(where: Predicate): Transform {
  let selector: Selector | undefined;
  return {
    name: 'filter',
    keeps: where,
    apply(batch, _signal, onReject) {
      selector ??= sharedKernel().selector({ where });
      const table = selector.filter(batch.bytes());
      rejectBad(batch, table.bad, onReject);
      if (table.count === batch.length) return [batch];
      return table.count === 0 ? [] : [batch.deriveLines(table)];
    },
  };
}

function filterByFunction<T extends object>(
  keep: DocumentFunction<T, boolean>,
  options: CallOptions,
): Transform {
  checkCalls(options);
  return {
    name: 'filter',
    wants: { objects: true },
    apply(batch, signal, onReject) {
      const flags = runEach(batch, keep, options, signal, onReject);
      return Array.isArray(flags)
        ? keepFlagged(batch, flags)
        : flags.then((settled) => keepFlagged(batch, settled));
    },
  };
}

function keepFlagged(batch: Batch, flags: readonly unknown[]): Batch[] {
  const kept: number[] = [];
  for (let i = 0; i < flags.length; i++) if (flags[i] && flags[i] !== REJECTED) kept.push(i);
  if (kept.length === batch.length) return [batch];
  return kept.length === 0 ? [] : [batch.pick(kept)];
}
