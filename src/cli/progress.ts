/**
 * One line on a terminal that says how far the work is: share, bytes, documents, documents/s, time
 * left. Redrawn ten times a second at most. Where standard error is no terminal it writes nothing.
 */
import type { Terminal } from './command.ts';
import { formatCount, formatRate, formatSeconds, formatSize } from './text.ts';

const REDRAW_MS = 100;

export class Progress {
  documents = 0;
  bytes = 0;
  readonly #stream: Terminal['stderr'];
  readonly #label: string;
  readonly #total: number | undefined;
  readonly #start: number;
  readonly #now: () => number;
  readonly #unit: string;
  #drawnAt: number;
  #drawn = false;

  /** `total`: the bytes to come, where known. `now` in milliseconds. `unit`: what is counted. */
  constructor(
    stream: Terminal['stderr'],
    label: string,
    total: number | undefined,
    now: () => number = () => performance.now(),
    unit = 'docs',
  ) {
    this.#unit = unit;
    this.#stream = stream;
    this.#label = label;
    this.#total = total;
    this.#now = now;
    this.#start = now();
    this.#drawnAt = this.#start;
  }

  get seconds(): number {
    return (this.#now() - this.#start) / 1000;
  }

  /** Counts, and redraws when it is time. */
  add(documents: number, bytes: number): void {
    this.documents += documents;
    this.bytes += bytes;
    if (!this.#stream.isTTY || this.#now() - this.#drawnAt < REDRAW_MS) return;
    this.#drawnAt = this.#now();
    this.#drawn = true;
    this.#stream.write(`\r${this.#line().slice(0, (this.#stream.columns ?? 80) - 1)}\u001b[K`);
  }

  /** Takes the line away. */
  clear(): void {
    if (this.#drawn) this.#stream.write('\r\u001b[K');
    this.#drawn = false;
  }

  #line(): string {
    const { seconds } = this;
    const rate = seconds > 0 ? this.documents / seconds : 0;
    const counts = `${formatCount(this.documents)} ${this.#unit}  ${formatRate(rate)}`;
    if (!this.#total) return `${this.#label}  ${formatSize(this.bytes)}  ${counts}`;
    const share = Math.min(1, this.bytes / this.#total);
    const width = (this.#stream.columns ?? 80) < 110 ? 8 : 30;
    const full = Math.round(share * width);
    const bar = `${'#'.repeat(full)}${'.'.repeat(width - full)}`;
    const left = share > 0 ? formatSeconds((seconds * (1 - share)) / share) : '?';
    const percent = `${Math.floor(share * 100)}%`.padStart(4);
    const bytes = `${formatSize(this.bytes)} of ${formatSize(this.#total)}`;
    return `${this.#label} [${bar}]${percent}  ${left} left  ${counts}  ${bytes}`;
  }
}
