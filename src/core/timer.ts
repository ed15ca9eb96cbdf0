/** A timer's longest delay, in ms: 24 days. One that is longer would fire at once. */
const LONGEST_MS = 0x7fff_ffff;

/** What a timer takes of a delay that a caller gave, who may mean never by `Infinity`. */
export function timerMs(ms: number): number {
  return Math.min(ms, LONGEST_MS);
}
