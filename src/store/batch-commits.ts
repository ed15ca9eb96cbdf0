/**
 * Commits in the background whenever so many documents were put or deleted, one commit at a time: what
 * comes while one is under way is the next one's, however much it is.
 */
import { checkNumber } from '../core/check-option.ts';

export class BatchCommits {
  readonly #size: number;
  readonly #commit: () => Promise<unknown>;
  #pending = 0;
  #isRunning = false;

  /** `commit` may fail: whoever writes next hears of that. */
  constructor(size: number, commit: () => Promise<unknown>) {
    this.#size = checkNumber('batchSize', size, 1);
    this.#commit = commit;
  }

  /** Takes note of documents that were put or deleted. */
  note(documents: number): void {
    this.#pending += documents;
    if (this.#pending < this.#size || this.#isRunning) return;
    this.#pending = 0;
    this.#isRunning = true;
    const goOn = (): void => {
      this.#isRunning = false;
      this.note(0);
    };
    this.#commit().then(goOn, goOn);
  }
}
