/**
 * What is put aside: bytes that are no documents any more stay in the meta folder, under a name that
 * says when, for somebody to look at. Nothing reads them, nothing removes them.
 */
import { join } from 'node:path';

/** A name in `meta` for what a repair of now puts aside. */
export function asidePath(meta: string): string {
  return join(meta, `dropped-${new Date().toISOString().replaceAll(':', '')}`);
}

/** True for names of what opening or a repair put aside. */
export function isAside(name: string): boolean {
  return /^(torn|dropped)-/.test(name);
}
