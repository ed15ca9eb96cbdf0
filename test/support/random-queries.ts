/** Random predicates and paths that often meet something in random documents. */
import fc from 'fast-check';
import type { Path } from '../../src/core/path.ts';
import type { Predicate, Scalar } from '../../src/core/predicate.ts';

/** Paths into random documents. */
export const path: fc.Arbitrary<Path> = fc.oneof(
  fc.constantFrom<Path[]>(['_id'], ['a'], ['b'], ['n'], ['é'], ['__proto__'], ['\ud800']),
  fc.array(fc.constantFrom('a', 'b', 'c', 'd', '0', '1', '_id', 'é', 'constructor', '__proto__'), {
    minLength: 1,
    maxLength: 3,
  }),
);

const text = fc
  .array(
    fc.constantFrom('a', 'b', 'A', 'é', '€', '😀', '\ud800', '\udc00', '\uffff', '_id', '\n'),
    {
      maxLength: 3,
    },
  )
  .map((parts) => parts.join(''));

const number = fc.oneof(
  fc.constantFrom(0, 1, -1, 0.1, 9007199254740992, 2147483648, 1e23, 5e-324, -1.5),
  fc.integer(),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
);

const bigint = fc.constantFrom(0n, 1n, -1n, 9007199254740993n, 9223372036854775808n, 10n ** 29n);

const scalar: fc.Arbitrary<Scalar> = fc.oneof(
  text,
  number,
  bigint,
  fc.constantFrom<Scalar[]>(true, false, null, '2024-02-29'),
);

const test: fc.Arbitrary<Predicate> = fc.oneof(
  fc.record({
    op: fc.constantFrom('eq', 'lt', 'lte', 'gt', 'gte'),
    path,
    value: scalar,
  }),
  fc.record({ op: fc.constant('in'), path, values: fc.array(scalar, { maxLength: 4 }) }),
  fc.record({ op: fc.constantFrom('startsWith', 'endsWith'), path, value: text }),
  fc.record({ op: fc.constant('contains'), path, value: scalar }),
  fc.record({
    op: fc.constant('matches'),
    path,
    pattern: fc.constantFrom(/a/, /^b/g, /é/iu, /^$/y, /\d/),
  }),
  fc.record({ op: fc.constantFrom('exists', 'isNull'), path }),
) as fc.Arbitrary<Predicate>;

/** Any predicate. */
export const predicate: fc.Arbitrary<Predicate> = fc.letrec<{ predicate: Predicate }>((tie) => ({
  predicate: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    { weight: 4, arbitrary: test },
    {
      weight: 1,
      arbitrary: fc.record({
        op: fc.constantFrom('and', 'or'),
        terms: fc.array(tie('predicate'), { maxLength: 3 }),
      }) as fc.Arbitrary<Predicate>,
    },
    {
      weight: 1,
      arbitrary: fc.record({
        op: fc.constant('not'),
        term: tie('predicate'),
      }) as fc.Arbitrary<Predicate>,
    },
  ),
})).predicate;

/** Paths to select. */
export const selected: fc.Arbitrary<Path[]> = fc.array(path, { maxLength: 4 });
