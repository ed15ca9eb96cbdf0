/**
 * How much is tried. `npm test` takes a sample, the same in every run; with ZDS_FUZZ=long, as `.ci/run`
 * sets it, everything is tried.
 */
export const LONG: boolean = process.env.ZDS_FUZZ === 'long';

/** Whether a case is tried that has these numbers: every fourth one of each, or all. */
export function inSample(...numbers: readonly number[]): boolean {
  return LONG || numbers.reduce((sum, number) => sum + number, 0) % 4 === 0;
}

/** Runs of a property: a quarter of what is stated, or twice as many. */
export function runs(stated: number): number {
  return LONG ? 2 * stated : Math.ceil(stated / 4);
}

/** Ordinals below `count`, about `tries` of them, evenly spread from one that differs from run to run. */
export function somePlaces(count: number, tries: number): number[] {
  const step = LONG ? 1 : Math.max(1, Math.round(count / tries));
  const first = LONG ? 0 : Date.now() % step;
  return Array.from({ length: Math.ceil((count - first) / step) }, (_, i) => first + i * step);
}
