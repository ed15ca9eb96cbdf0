/** What the contract suites share: named checks, for any test runner. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/** One thing that a stage must do; `run` rejects with what is wrong. */
export interface Check {
  readonly name: string;
  run(): Promise<void>;
}

/** A stage's case, or what makes a fresh one for every check. */
export type CaseInput<T> = T | (() => T | Promise<T>);

/** The case for one check. */
export async function makeCase<T extends object>(input: CaseInput<T>): Promise<T> {
  return typeof input === 'function' ? await (input as () => T | Promise<T>)() : input;
}

/** Open descriptors of this process, sockets too; undefined where the system does not tell. */
export function openDescriptors(): number | undefined {
  return existsSync('/proc/self/fd') ? readdirSync('/proc/self/fd').length : undefined;
}

/**
 * Fails unless no more than `before` are open; sockets may take a moment. Nothing where the system
 * does not tell.
 */
export async function assertClosed(before: number | undefined): Promise<void> {
  for (let left = 100; before !== undefined; left--) {
    const now = openDescriptors()!;
    if (now <= before) return;
    assert(left > 0, `${now - before} descriptors left open`);
    await sleep(5);
  }
}
