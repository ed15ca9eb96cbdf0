/**
 * What becomes of bad records in a run: the first one stops it, they are passed over, told to a
 * function, or written to a dead-letter file; and how many there may be.
 */
import { EtlError } from '../core/errors.ts';
import { type OnError, type OnReject, type Reject, readOnError } from '../core/reject.ts';
import { DeadLetterFile } from './dead-letter.ts';
import type { Ledger, OpenCounts } from './ledger.ts';

/** What to do with bad records: stop at the first, pass over them, tell, or keep them in a file. */
export type RunOnError = 'stop' | 'skip' | OnReject | { readonly deadLetter: string };

/** How many bad records a run may have: a count, a share of the records read (`'1%'`), or both. */
export type MaxErrors =
  | number
  | `${number}%`
  | { readonly count?: number; readonly share?: number };

/** A share says little about the first few records; it is looked at from here on, and at the end. */
const LEAST_READ_FOR_SHARE = 1000;

export class RejectGate {
  readonly deadLetter: DeadLetterFile | undefined;
  readonly #policy: RunOnError;
  readonly #limits: { readonly count: number; readonly share: number };
  readonly #ledger: Ledger;
  readonly #tell: (reject: Reject, stage: string) => void;
  #first: Reject | undefined;

  /** Errors: INVALID_ARGUMENT for a policy or a limit that is none. */
  constructor(
    policy: RunOnError,
    maxErrors: MaxErrors | undefined,
    ledger: Ledger,
    tell: (reject: Reject, stage: string) => void,
  ) {
    const isFile = typeof policy === 'object' && typeof policy?.deadLetter === 'string';
    const wanted = "'stop', 'skip', a function or { deadLetter: path }";
    this.#policy = isFile ? policy : readOnError(policy as OnError, wanted);
    this.#limits = readLimits(maxErrors);
    this.#ledger = ledger;
    this.#tell = tell;
    this.deadLetter = isFile ? new DeadLetterFile(policy.deadLetter) : undefined;
  }

  /** Takes the bad records of a stage; undefined where the first one is to stop the run. */
  takerFor(counts: OpenCounts): OnReject | undefined {
    if (this.#policy === 'stop') return undefined;
    const isSource = counts === this.#ledger.source;
    return (reject) => {
      this.#ledger.reject(counts);
      if (isSource) counts.in++;
      this.#first ??= reject;
      this.deadLetter?.add(reject, counts.name);
      if (typeof this.#policy === 'function') this.#policy(reject);
      this.#tell(reject, counts.name);
      this.#check(LEAST_READ_FOR_SHARE);
    };
  }

  /** When all has been read: the share is then exact. Errors: TOO_MANY_REJECTS. */
  checkAtEnd(): void {
    this.#check(0);
  }

  #check(least: number): void {
    const { rejected, source } = this.#ledger;
    const { count, share } = this.#limits;
    const many = rejected > count;
    const large = source.in >= least && rejected > share * source.in;
    if (!many && !large) return;
    const limit = many ? `${count}` : `${share * 100}% of those read`;
    const { place = {}, code, reason } = this.#first ?? {};
    const first = code === undefined ? '' : `; the first: ${code}, ${reason}`;
    throw new EtlError(
      'TOO_MANY_REJECTS',
      `${rejected} of ${source.in} records rejected, more than ${limit}${first}`,
      { place },
    );
  }
}

function readLimits(max: MaxErrors | undefined): { count: number; share: number } {
  // Transforms can make more bad records of those read than were read.
  const none = { count: Number.POSITIVE_INFINITY, share: Number.POSITIVE_INFINITY };
  let limits = none;
  if (typeof max === 'number') limits = { ...none, count: max };
  else if (typeof max === 'string')
    limits = { ...none, share: Number(max.slice(0, -1) || Number.NaN) / 100 };
  else if (max !== undefined) limits = { ...none, ...max };
  const { count, share } = limits;
  const isShare = typeof max !== 'string' || max.endsWith('%');
  const shareIsOne = share === none.share || (share >= 0 && share <= 1);
  if (isShare && count >= 0 && shareIsOne) return limits;
  throw new EtlError(
    'INVALID_ARGUMENT',
    `maxErrors takes a count or a share such as '1%', not ${JSON.stringify(max)}`,
  );
}
