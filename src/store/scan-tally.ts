/**
 * Keeps a scan honest about lines that cannot be read. Another program may have left some that are no
 * documents, and these are passed over; a document that is damaged is not.
 *
 * Which is which the number of document lines tells, which is known from the log or from when the data
 * was indexed: the first bad line that is met has all lines counted, on the calling thread, once for the
 * files that are open. If some are missing the scan fails there. A scan of everything also counts what it
 * came by, which tells of damage in lines that it did not read, and in ids. None of this takes time where
 * nothing is bad.
 */
import { RECORD_WORDS } from '../core/batch.ts';
import { EtlError, type Place } from '../core/errors.ts';
import type { Kernel, LineTable } from '../kernels/index.ts';
import { countLiving, deadLines, type Liveness } from './liveness.ts';
import { readPiecesSync } from './pieces.ts';
import type { SyncSnapshot } from './scan-snapshot.ts';

/** Lines that were gone through. */
export type Gone = Pick<LineTable, 'lineCount' | 'bad'>;

/** What a scan tells of the lines that it goes through. */
export interface LineTally {
  /** Takes note of lines that were gone through; `count`: how many are documents. Errors: CORRUPTED_DATA. */
  take(gone: Gone, count?: number): void;
  /** Whether a bad line may be passed over. Errors: CORRUPTED_DATA where it may not. */
  mayPass(): boolean;
}

/** For lines that have all been found to be documents. */
export const soundLines: LineTally = { take: () => undefined, mayPass: () => false };

export class Tally implements LineTally {
  readonly #kernel: Kernel;
  readonly #path: string;
  readonly #snapshot: SyncSnapshot;
  #lines = 0;
  #documents = 0;
  #finished = false;

  /** `path` is that of the data, for errors. */
  constructor(kernel: Kernel, path: string, snapshot: SyncSnapshot) {
    this.#kernel = kernel;
    this.#path = path;
    this.#snapshot = snapshot;
  }

  /** Takes note of lines that were gone through; `count`: how many are documents. Errors: CORRUPTED_DATA. */
  take({ lineCount, bad }: Gone, count: number = lineCount - bad.length): void {
    this.#lines += count;
    // No program of ours leaves blank lines either.
    if (count < lineCount) this.mayPass();
  }

  /** Takes note of which documents of a piece are alive. */
  takeLiving(skip: Uint8Array): void {
    this.#documents += countLiving(skip);
  }

  /** All of the data was gone through. Errors: CORRUPTED_DATA. */
  finish(): void {
    const { alive, whole } = this.#snapshot;
    if (this.#lines !== whole.lines) this.mayPass();
    this.#finished = true;
    if (alive && this.#documents !== whole.documents) this.#findLost(alive);
  }

  /**
   * Whether a bad line may be passed over. Errors: CORRUPTED_DATA where it may not, as long as the scan
   * is not through.
   */
  mayPass(): boolean {
    const { places, stored, whole } = this.#snapshot;
    // Documents that were asked for.
    for (const [offset, length] of places ?? []) stored!.document(offset, length);
    if (whole.sound.until < whole.end && !this.#finished) this.#countLines();
    return whole.sound.until >= whole.end;
  }

  #countLines(): void {
    const { lines, end, sound } = this.#snapshot.whole;
    let found = 0;
    let passed = 0;
    let first: { readonly reason: string; readonly place: Place } | undefined;
    for (const { table, base } of this.#tables()) {
      const bad = table.bad[0];
      if (bad && !first) {
        const { start, line, reason } = bad;
        first = {
          reason,
          place: { path: this.#path, offset: base + start, line: passed + line + 1 },
        };
      }
      found += table.count;
      passed += table.lineCount;
    }
    if (found !== lines) {
      const text = `of ${lines} lines of documents ${found} can be read`;
      throw new EtlError('CORRUPTED_DATA', first ? `${text}: ${first.reason}` : text, {
        place: first?.place ?? { path: this.#path },
      });
    }
    sound.until = end;
  }

  /** Names the first document that is not where it was. */
  #findLost(alive: Liveness): never {
    const { end, documents } = this.#snapshot.whole;
    const found: number[] = [];
    for (const { table, base } of this.#tables()) {
      const dead = deadLines(alive, table, base);
      for (let i = 0; i < table.count; i++) {
        if (dead[i] === 0) found.push(base + table.records[i * RECORD_WORDS]!);
      }
    }
    const offset = [...alive.index.entries().offsets, ...alive.retired]
      .filter((place) => place < end)
      .sort((a, b) => a - b)
      .find((place, i) => place !== found[i]);
    const message = `of ${documents} documents ${found.length} have their id`;
    const place = { path: this.#path, ...(offset === undefined ? {} : { offset }) };
    throw new EtlError('CORRUPTED_DATA', message, { place });
  }

  *#tables(): Generator<{ readonly table: LineTable; readonly base: number }, void, void> {
    const { file, whole } = this.#snapshot;
    for (const { bytes, base } of readPiecesSync(file, 0, whole.end)) {
      yield { table: this.#kernel.lines(bytes), base };
    }
  }
}
