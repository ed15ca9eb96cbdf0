import { expect } from 'vitest';

/**
 * `expect(found, what).toBe(wanted)` for what is asked a million times: an `expect` that holds costs more than
 * many a comparison, so there is none unless it will fail.
 */
export function expectSame(found: unknown, wanted: unknown, what?: string): void {
  if (!Object.is(found, wanted)) expect(found, what).toBe(wanted);
}
