/** Finds where values lie in scanned lines. */
import type { Path } from '../../core/path.ts';
import type { Locator } from '../types.ts';
import { readLines } from './lines.ts';
import { fieldNames, findPath } from './text.ts';

/** As `Kernel.locator`. */
export function createTwinLocator(paths: readonly Path[]): Locator {
  const names = paths.map(fieldNames);
  return {
    locate: (bytes) => {
      const places: number[] = [];
      const { count, bad } = readLines(bytes, {}, (scanner) => {
        for (const path of names) {
          const node = findPath(scanner, 0, path);
          if (node < 0) places.push(0, 0);
          else places.push(scanner.start[node]!, scanner.end[node]!);
        }
      });
      return { places: Uint32Array.from(places), count, bad };
    },
  };
}
