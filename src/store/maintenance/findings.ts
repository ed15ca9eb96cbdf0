/** What is wrong with a collection, and where. */
import { checkNumber } from '../../core/check-option.ts';
import type { ErrorCode, Place } from '../../core/errors.ts';
import type { LayoutProblem } from '../layout.ts';

/** One thing that is not as it should be. */
export interface Finding {
  /**
   * `damage`: documents, deletes or commits are lost, hidden or in doubt until `repair`. `notice`:
   * what opening for writing takes care of, or what does no harm.
   */
  readonly level: 'damage' | 'notice';
  readonly code: ErrorCode;
  readonly place: Place;
  readonly message: string;
}

/** Findings up to a limit; all are counted. */
export class Findings {
  readonly list: Finding[] = [];
  damage = 0;
  notices = 0;
  /** Damage in index.bin, which the data can make good. */
  indexDamage = 0;
  readonly #most: number;

  /** Errors: INVALID_ARGUMENT. */
  constructor(most: number) {
    this.#most = checkNumber('maxFindings', most, 0);
  }

  add(level: Finding['level'], code: ErrorCode, place: Place, message: string): void {
    if (level === 'notice') this.notices++;
    else {
      this.damage++;
      if (code === 'CORRUPTED_INDEX') this.indexDamage++;
    }
    if (this.list.length < this.#most) this.list.push({ level, code, place, message });
  }

  /** Adds what is wrong with folders and names: nothing is lost by that. */
  addLayout(problems: readonly LayoutProblem[]): void {
    for (const { place, message } of problems) this.add('notice', 'INVALID_PATH', place, message);
  }
}
