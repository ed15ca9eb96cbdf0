/**
 * What a transform does with a document that it cannot take: it goes to whoever collects rejects, or
 * is the error that ends the work. Nothing is dropped silently.
 */
import { assert } from '../core/assert.ts';
import type { Batch } from '../core/batch.ts';
import type { ErrorCode } from '../core/errors.ts';
import { type OnReject, type Rejection, rejectDocument } from '../core/reject.ts';
import type { BadLine } from '../kernels/types.ts';

/** To be thrown by what looks at one document, and caught within a transform; no stack is taken. */
export class Refusal implements Rejection {
  readonly code: ErrorCode;
  readonly reason: string;

  readonly cause: unknown;

  constructor(reason: string, code: ErrorCode = 'INVALID_DOCUMENT', cause?: unknown) {
    this.code = code;
    this.reason = reason;
    this.cause = cause;
  }
}

/** What `look` answers for document `index`; undefined where it throws a Refusal: then it is refused. */
export function tryDocument<T>(
  batch: Batch,
  index: number,
  onReject: OnReject | undefined,
  look: () => T,
): T | undefined {
  try {
    return look();
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    rejectDocument(batch, index, error, onReject);
    return undefined;
  }
}

/**
 * A source with a higher `maxDepth` than the kernels' own lets documents through that a query cannot
 * look into: they are refused one by one.
 */
export function rejectBad(
  batch: Batch,
  bad: readonly BadLine[],
  onReject: OnReject | undefined,
): void {
  for (const { line, code, reason } of bad) {
    assert(line < batch.length, 'a line of the batch');
    rejectDocument(batch, line, { code, reason }, onReject);
  }
}

/** The batch without those, for what keeps no count of them: no row of a kernel stands for a bad line. */
export function withoutBad(
  batch: Batch,
  bad: readonly BadLine[],
  onReject: OnReject | undefined,
): Batch {
  rejectBad(batch, bad, onReject);
  const lines = new Set(bad.map(({ line }) => line));
  return batch.pick([...Array(batch.length).keys()].filter((i) => !lines.has(i)));
}
