/**
 * For runs drawn from every transform, every sink, several sinks in one, and every way to deal with bad
 * records: the account adds up, stage by stage, and agrees with what is found at the far side. A run that
 * fails says why; that its own account was wrong (INTERNAL) it never says. No stage can be left out: the
 * tables are held against what the package exports. A route that passes over one of its sinks makes this
 * fail (tried), and so did sinks of columns that counted documents without a field and wrote no row.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Transform } from '../../src/core/stage.ts';
import * as zds from '../../src/index.ts';
import * as transforms from '../../src/transforms/index.ts';
import { runs } from '../support/long.ts';
import { documentsIn, type InputServer, serveInputs } from '../support/memory-inputs.ts';
import { anyTransforms } from '../support/random-transforms.ts';

const folder = mkdtempSync(join(tmpdir(), 'zds-stages-'));
let server: InputServer;
beforeAll(async () => {
  server = await serveInputs(folder);
});
afterAll(() => {
  server.close();
  rmSync(folder, { recursive: true, force: true });
});

const pick = <const T extends readonly unknown[]>(...values: T): fc.Arbitrary<T[number]> =>
  fc.constantFrom(...values);
interface Target {
  readonly sink: zds.AnySink;
  /** Documents found there, given the summary. */
  count(summary: unknown): Promise<number>;
}

/** A sink to a file, whose documents are counted there. */
const toFile = (kind: string, sink: (path: string) => zds.AnySink) => (path: string) => ({
  sink: sink(kind === 'zds' ? path : `${path}.${kind}`),
  count: () => documentsIn[kind]!(path),
});
const jsonlTo = toFile('jsonl', (path) => zds.jsonlSink(path));
const csvTo = toFile('csv', (path) => zds.csvSink(path, { extra: 'drop' }));
const sum = (counts: readonly number[]): number => counts.reduce((total, each) => total + each, 0);

/** By the name of its function. */
const targets: Readonly<Record<string, (path: string) => Target>> = {
  arrowSink: toFile('arrow', (path) => zds.arrowSink(path)),
  csvSink: toFile('csv', (path) => zds.csvSink(path)),
  httpSink: (path) => ({
    sink: zds.httpSink(`${server.base}${path}`, { maxDocuments: 3, concurrency: 2 }),
    count: async () => server.taken.get(path) ?? 0,
  }),
  jsonSink: toFile('json', (path) => zds.jsonSink(path)),
  jsonlSink: toFile('jsonl.gz', (path) => zds.jsonlSink(path)),
  parquetSink: toFile('parquet', (path) => zds.parquetSink(path)),
  partitioned: (path) => ({
    sink: zds.partitioned(path, (file) => zds.jsonlSink(file), {
      extension: '.jsonl',
      partitionBy: 's',
      rotate: { documents: 4 },
      maxOpenFiles: 2,
    }),
    async count() {
      const files = readdirSync(path, { recursive: true }) as string[];
      const parts = files
        .filter((name) => name.endsWith('.jsonl'))
        .map((name) => name.slice(0, -6));
      return sum(await Promise.all(parts.map((part) => documentsIn.jsonl!(join(path, part)))));
    },
  }),
  route: (path) => routeTo(path, 'drop'),
  tee: (path) => {
    const parts = [jsonlTo(`${path}-a`), csvTo(`${path}-b`)] as const;
    return {
      sink: zds.tee(...parts.map(({ sink }) => sink)),
      async count() {
        const [a, b] = await Promise.all(parts.map((part) => part.count()));
        expect(a).toBe(b);
        return a!;
      },
    };
  },
  zdsSink: (path) => ({
    sink: zds.zdsSink(path, 'c', { generateIds: true, commitDocuments: 5 }),
    async count(summary) {
      return (await documentsIn.zds!(path)) + (summary as zds.ZdsSinkSummary).replaced;
    },
  }),
};

function routeTo(path: string, otherwise: 'drop' | 'reject' | 'take'): Target {
  const [a, b, rest] = [jsonlTo(`${path}-a`), csvTo(`${path}-b`), jsonlTo(`${path}-rest`)];
  const more =
    otherwise === 'drop' ? { otherwise } : otherwise === 'take' ? { otherwise: rest.sink } : {};
  return {
    sink: zds.route({ by: 's', to: { a: a.sink, b: b.sink }, ...more }),
    async count() {
      const parts = otherwise === 'take' ? [a, b, rest] : [a, b];
      return sum(await Promise.all(parts.map((part) => part.count())));
    },
  };
}

const anyTarget = fc.oneof(
  { weight: 10, arbitrary: pick(...Object.values(targets)) },
  {
    weight: 2,
    arbitrary: pick('reject', 'take').map((how) => (path: string) => routeTo(path, how)),
  },
  {
    weight: 1,
    arbitrary: pick((path: string): Target => {
      const sink = zds.zdsSink(path, 'c', { write: 'append', generateIds: true });
      return { sink, count: () => documentsIn.zds!(path) };
    }),
  },
);

const oddNames = ['__proto__', '', 'a.b', '\\u0073', '\\ud800', 'toString', 'x,\\"y'];
const oddValues = [
  ...[
    '"d1"',
    '"d\\u0031"',
    '""',
    '"a,\\"b\\"\\t"',
    '"\\ud800"',
    '"\\u0000 é😀"',
    `"${'long '.repeat(60)}"`,
  ],
  ...['-0', '1e400', '9007199254740993', '18446744073709551616', '0.1e-7', 'true', 'null'],
  ...['[]', '[[],{},[null,"x"]]', '[{"x":1},{"x":"y","x":2}]', '{}', '{"x":{"x":[]}}'],
  ...['"2024-02-29T10:00:00Z"', '"2024-02-30"'],
] as const;

const anyLine = fc.oneof(
  {
    weight: 6,
    arbitrary: fc
      .record(
        {
          _id: fc.integer({ min: 0, max: 60 }).map((n) => `d${n}`),
          n: fc.oneof(fc.integer({ min: 0, max: 9 }), pick('3', 'x', null)),
          s: pick('a', 'b', 'c', '7', null, { x: 1 }),
          a: fc.array(fc.integer({ min: 0, max: 3 }), { maxLength: 3 }),
          o: fc.record({ x: fc.boolean() }),
        },
        { requiredKeys: [] },
      )
      .map((document) => JSON.stringify(document)),
  },
  // Members as `JSON.stringify` never writes them, and names that objects have of their own.
  {
    weight: 2,
    arbitrary: fc
      .array(fc.tuple(pick('_id', 'n', 's', 'a', 'o', ...oddNames), pick(...oddValues)), {
        maxLength: 5,
      })
      .map((members) => `{${members.map(([name, value]) => `"${name}": ${value}`)} }`),
  },
  { weight: 1, arbitrary: pick('{"n":', '[]', 'x') },
);
const anyPolicy = fc.record({
  onError: pick('stop', 'skip', 'tell', 'keep'),
  maxErrors: pick(undefined, 3, '50%' as const),
});
let round = 0;
let done = 0;

async function check(
  lines: readonly string[],
  made: readonly (() => Transform)[],
  makeTarget: (path: string) => Target,
  policy: { onError: 'stop' | 'skip' | 'tell' | 'keep'; maxErrors: zds.MaxErrors | undefined },
): Promise<void> {
  const path = join(folder, `r${round++}`);
  const letters = `${path}-letters.jsonl`;
  const target = makeTarget(path);
  const told: zds.Reject[] = [];
  const onError = {
    stop: 'stop',
    skip: 'skip',
    tell: (reject: zds.Reject) => void told.push(reject),
    keep: { deadLetter: letters },
  } as const;
  const { maxErrors } = policy;
  let summary: zds.RunSummary;
  try {
    summary = await zds.run({
      name: 'x',
      source: zds.jsonlSource([Buffer.from(lines.join('\n'))], { batchBytes: 200 }),
      transforms: made.map((make) => make()),
      sink: target.sink,
      onError: onError[policy.onError],
      ...(maxErrors === undefined ? {} : { maxErrors }),
    });
  } catch (error) {
    expect(error).toBeInstanceOf(zds.EtlError);
    expect(error).not.toMatchObject({ code: 'INTERNAL' });
    return;
  }
  done++;
  const { read, written, filtered, rejected, expanded, stages } = summary;
  expect(read).toBe(lines.length);
  expect(read + expanded).toBe(written + filtered + rejected);
  for (const [i, stage] of stages.entries()) {
    expect(stage.in + stage.expanded).toBe(stage.out + stage.filtered + stage.rejected);
    expect(stage.out).toBe(stages[i + 1]?.in ?? written);
  }
  expect(await target.count(summary.sink)).toBe(written);
  if (policy.onError === 'tell') expect(told).toHaveLength(rejected);
  if (policy.onError !== 'keep') return;
  const kept = rejected === 0 ? [] : readFileSync(letters, 'utf8').trimEnd().split('\n');
  expect(kept).toHaveLength(rejected);
}

describe('the account of runs of any stages', () => {
  it('is drawn from all there are', () => {
    expect(Object.keys(anyTransforms)).toEqual(Object.keys(transforms).sort());
    // driveSink takes entries of keys and bytes, not documents.
    const sinks = Object.keys(zds).filter(
      (name) => /^[a-z]+Sink$|^(tee|route|partitioned)$/.test(name) && name !== 'driveSink',
    );
    expect(Object.keys(targets).sort()).toEqual(sinks.sort());
  });

  it('adds up, and is what is found', { timeout: 120_000 }, async () => {
    const anySteps = fc.array(fc.oneof(...Object.values(anyTransforms)), { maxLength: 5 });
    const anyLines = fc.array(anyLine, { maxLength: 40 });
    const tries = runs(300);
    await fc.assert(fc.asyncProperty(anyLines, anySteps, anyTarget, anyPolicy, check), {
      numRuns: tries,
    });
    // Others stop at the first bad record, as they were told.
    expect(done).toBeGreaterThan(tries / 3);
  });
});
