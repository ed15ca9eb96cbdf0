/** The suite for sinks that the package exports, as tests. */
import { describe, it } from 'vitest';
import { type SinkCase, sinkContract } from '../../src/testing/index.ts';

export function testSinkContract(name: string, make: () => SinkCase | Promise<SinkCase>): void {
  describe(`${name} as a sink`, () => {
    for (const check of sinkContract(make)) it(check.name, check.run);
  });
}
