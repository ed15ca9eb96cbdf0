/** Sizes as people write them: `32MiB`. */

const UNITS: Readonly<Record<string, number>> = {
  '': 1,
  k: 1e3,
  m: 1e6,
  g: 1e9,
  ki: 2 ** 10,
  mi: 2 ** 20,
  gi: 2 ** 30,
};

/** What `parseSize` reads, as a pattern. */
export const SIZE_PATTERN = '^(\\d+(?:\\.\\d+)?) ?([kKmMgG]i?|)[bB]?$';

/** A size such as `1048576`, `32MiB` or `1.5 GB` in bytes; undefined for anything else, 0 included. */
export function parseSize(text: string): number | undefined {
  const found = new RegExp(SIZE_PATTERN).exec(text);
  const bytes = found ? Math.floor(Number(found[1]) * UNITS[found[2]!.toLowerCase()]!) : 0;
  return bytes > 0 && Number.isSafeInteger(bytes) ? bytes : undefined;
}
