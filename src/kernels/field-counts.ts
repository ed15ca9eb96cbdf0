/** The counts of a field of which nothing has been seen yet; both observers begin with them. */
import type { FieldStats } from './types.ts';

/** What `FieldStats` counts, without its place and children. */
export type FieldCounts = {
  -readonly [K in keyof Omit<FieldStats, 'path' | 'element' | 'children'>]: FieldStats[K];
};

/** A fresh set of counts, all zero. */
export function newFieldCounts(): FieldCounts {
  return {
    nulls: 0,
    booleans: 0,
    integers: 0,
    int32: true,
    floats: 0,
    strings: 0,
    objects: 0,
    arrays: 0,
  };
}
