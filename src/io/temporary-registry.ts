/**
 * What this process would leave behind if it ended now: files and folders that get their names by a rename
 * or are removed. Whoever ends the process without waiting for that (`zds` at the second Ctrl-C) removes them.
 */
import { rmSync } from 'node:fs';

const registered = new Set<string>();

/** Notes a path that nobody else uses; answers it. To be forgotten when it has its name or is gone. */
export function registerTemporary(path: string): string {
  registered.add(path);
  return path;
}

/** Ends what `registerTemporary` began. */
export function forgetTemporary(path: string): void {
  registered.delete(path);
}

/** Removes all that is registered, without leaving the turn; what cannot be removed stays. */
export function removeTemporaries(): void {
  for (const path of registered) {
    try {
      rmSync(path, { recursive: true, force: true, maxRetries: 3 });
    } catch {
      // The process ends all the same.
    }
  }
  registered.clear();
}
