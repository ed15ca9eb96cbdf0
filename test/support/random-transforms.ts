/** Every transform as it may be asked for, for runs that are drawn. */
import fc from 'fast-check';
import { eq } from '../../src/core/predicate.ts';
import type { Transform } from '../../src/core/stage.ts';
import * as transforms from '../../src/transforms/index.ts';

const pick = <const T extends readonly unknown[]>(...values: T): fc.Arbitrary<T[number]> =>
  fc.constantFrom(...values);
const isNumbered = {
  '~standard': {
    version: 1,
    vendor: 'test',
    validate: (value: unknown) =>
      typeof (value as { n?: unknown }).n === 'number'
        ? { value: value as object }
        : { issues: [{ message: 'no number' }] },
  },
} as const;
const modes = pick('evolve', 'freeze', 'discard_value', 'discard_row');

/** By the name of its function: transforms as they may be asked for. */
export const anyTransforms: Readonly<Record<string, fc.Arbitrary<() => Transform>>> = {
  aggregateTransform: pick(() =>
    transforms.aggregateTransform({ by: 's', measures: { c: { count: true }, n: { max: 'n' } } }),
  ),
  batchTransform: fc
    .integer({ min: 1, max: 9 })
    .map((count) => () => transforms.batchTransform({ count })),
  castTransform: pick('string', 'integer', 'timestamp').map(
    (type) => () => transforms.castTransform({ n: type, s: 'number' }),
  ),
  contractTransform: fc
    .record({ columns: modes, dataType: modes })
    .map((options) => () => transforms.contractTransform({ schema: { n: 'integer' }, ...options })),
  dedupeTransform: pick(['s'], ['n', 's']).map((by) => () => transforms.dedupeTransform({ by })),
  filterTransform: pick(
    () => transforms.filterTransform(eq('s', 'a')),
    () => transforms.filterTransform(({ n }) => Number(n) > 1),
  ),
  flattenTransform: pick(() => transforms.flattenTransform()),
  incrementalTransform: pick('reject', 'keep', 'drop').map(
    (missing) => () => transforms.incrementalTransform({ field: 'n', missing }),
  ),
  lookupTransform: pick('keep', 'null', 'drop', 'reject').map((missing) => () => {
    const from = new Map([['a', { z: 1 }]]);
    return transforms.lookupTransform({ from, by: 's', as: 'found', missing });
  }),
  mapTransform: fc
    .record({ concurrency: fc.integer({ min: 1, max: 3 }), ordered: fc.boolean() })
    .map(
      (options) => () =>
        transforms.mapTransform(async (each) => ({ ...each, seen: true }), options),
    ),
  projectTransform: pick(() => transforms.projectTransform(['_id', 'n', 's', 'a'])),
  renameTransform: pick(() => transforms.renameTransform({ s: 't', n: 's' })),
  sampleTransform: pick({ every: 2 }, { share: 0.5 }, { count: 3 }).map(
    (way) => () => transforms.sampleTransform({ ...way, seed: 7 }),
  ),
  tapTransform: pick(() => transforms.tapTransform(() => {})),
  throttleTransform: pick(() => transforms.throttleTransform({ documentsPerSecond: 1e6 })),
  unnestTransform: pick('drop', 'keep').map(
    (empty) => () => transforms.unnestTransform('a', { empty }),
  ),
  validateTransform: pick(() => transforms.validateTransform(isNumbered)),
};
