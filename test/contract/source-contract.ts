/** The suite for sources that the package exports, as tests. */
import { describe, it } from 'vitest';
import { type SourceCase, sourceContract } from '../../src/testing/index.ts';

export function testSourceContract(
  name: string,
  make: () => SourceCase | Promise<SourceCase>,
): void {
  describe(`${name} as a source`, () => {
    for (const check of sourceContract(make)) it(check.name, check.run);
  });
}
