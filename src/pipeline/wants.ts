/**
 * What a run asks of its source: the wishes of the first stage that gets what it gives.
 *
 * A filter by a predicate that comes first is left to a source that can leave documents out itself
 * (`Source.selects`). In the account it looks as ever: what the source leaves out counts as read by it
 * and as filtered by the filter.
 */
import type { Predicate } from '../core/predicate.ts';
import type { Sink, Source, Transform, Wants } from '../core/stage.ts';
import type { NamedTransform } from './checkpoint.ts';
import type { Ledger } from './ledger.ts';
import type { RejectGate } from './reject-gate.ts';

/** The predicate that the source sees to; undefined if it is the filter's own work. */
export function leftToSource(
  source: Source,
  transforms: readonly NamedTransform[],
): Predicate | undefined {
  return source.selects ? transforms[0]?.transform.keeps : undefined;
}

/** Stands for a filter whose work has been done. */
export const passingOn: Transform = { name: 'filter', apply: (batch) => [batch] };

/** Behind transforms the sink's key is a hint that may still help. */
export function wantsOf(
  keep: Predicate | undefined,
  transforms: readonly NamedTransform[],
  sink: Sink<unknown>,
  ledger: Ledger,
  gate: RejectGate,
): Wants {
  const { wants = {} } = sink;
  const first = transforms[keep ? 1 : 0];
  // What may have to be written again is not to be released.
  const releases = wants.releases === true && sink.afterFailure !== 'repeat';
  const key = wants.key ? { key: wants.key } : {};
  const own = first ? { ...key, ...first.transform.wants } : { ...wants, releases };
  const where = keep && { keep, passed: (count: number) => ledger.passOver(count) };
  const onReject = gate.takerFor(ledger.source);
  const rejects = gate.deadLetter?.path;
  return { ...own, ...(where ? { where } : {}), ...(onReject ? { onReject, rejects } : {}) };
}
