/** Which of many places of failure a crash test tries: all of them where ZDS_FUZZ=long, else a few. */

export const LONG: boolean = process.env.ZDS_FUZZ === 'long';

/** Ordinals below `count`, about `tries` of them, evenly spread from one that differs from run to run. */
export function somePlaces(count: number, tries: number): number[] {
  const step = LONG ? 1 : Math.max(1, Math.round(count / tries));
  const first = LONG ? 0 : Date.now() % step;
  return Array.from({ length: Math.ceil((count - first) / step) }, (_, i) => first + i * step);
}
