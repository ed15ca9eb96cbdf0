/**
 * Files made of the declared stages with options as they are declared, some of them spoilt: either lint
 * finds nothing, and they run (or end with an error that has a code of the table), or it names a place in
 * the file. What was not spoilt in form it does not complain about, what was it does.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { isEtlError } from '../../src/core/errors.ts';
import { run } from '../../src/pipeline/index.ts';
import { lintPipeline, loadPipeline, stageTypes } from '../../src/pipeline-file/index.ts';
import type { Schema } from '../../src/pipeline-file/schema.ts';
import { zdsSink } from '../../src/sinks/zds-sink.ts';
import { jsonlSource } from '../../src/sources/jsonl-source.ts';
import { runs } from '../support/long.ts';

const folder = mkdtempSync(join(tmpdir(), 'zds-lint-'));
const at = (name: string) => join(folder, name);
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let files = 0;

/** These need a server, a module, a store that is there, or time. */
const LEFT_OUT = [
  'arrow',
  'tee',
  'route',
  'http',
  'module',
  'map',
  'validate',
  'lookup',
  'throttle',
  'parquet',
  'tail',
  'generate',
];
const FIELDS = ['_id', 'n', 'name', 'at.x', 'tags'];

beforeAll(async () => {
  const lines = Array.from({ length: 20 }, (_, i) => {
    return JSON.stringify({
      _id: `d${i}`,
      n: i,
      name: `x${i % 3}`,
      at: { x: i / 2 },
      tags: ['a', 'b'],
    });
  });
  writeFileSync(at('in.jsonl'), `${lines.join('\n')}\n`);
  await run({
    name: 'fill',
    source: jsonlSource(at('in.jsonl')),
    sink: zdsSink(at('store'), 'c'),
  });
  writeFileSync(at('in.csv'), `_id,n,name\n${lines.map((_, i) => `c${i},${i},x\n`).join('')}`);
});

/** A value as the form has it. */
function valueFor(form: Schema): fc.Arbitrary<unknown> {
  if (form.anyOf) return fc.oneof(...form.anyOf.map(valueFor));
  if (form.enum) return fc.constantFrom(...form.enum);
  if (form.format === 'size') return fc.constantFrom('64KiB', '1MiB', '2 MB');
  if (form.format === 'where')
    return fc.constantFrom('n > 3', "name = 'x1' or n < 2", 'not exists(q)');
  if (form.examples) return fc.constantFrom(...form.examples);
  const { minimum = 0, maximum = 50 } = form;
  switch (form.type) {
    case 'string':
      return fc.constantFrom(...FIELDS);
    case 'boolean':
      return fc.boolean();
    case 'null':
      return fc.constant(null);
    case 'integer':
      return fc.integer({ min: minimum, max: maximum });
    case 'number':
      return fc.constantFrom(Math.max(minimum, 0.5), 1);
    case 'array':
      return fc.uniqueArray(valueFor(form.items ?? { type: 'string' }), {
        minLength: 1,
        maxLength: 3,
      });
    case 'object':
      return form.properties
        ? optionsOf(form.properties, form.required ?? [])
        : fc.dictionary(fc.constantFrom('n', 'name'), valueFor(form.additionalProperties || {}), {
            minKeys: 1,
          });
    default:
      return fc.constantFrom('utf8', 'json');
  }
}

/** What is needed and up to two more. */
function optionsOf(options: Readonly<Record<string, Schema>>, required: readonly string[]) {
  const others = Object.keys(options).filter((name) => !required.includes(name));
  return fc.subarray(others, { maxLength: Math.min(2, others.length) }).chain((names) => {
    const chosen = [...required, ...names].map((name) => [name, valueFor(options[name]!)] as const);
    return fc.record(Object.fromEntries(chosen));
  });
}

function stageOf(kind: 'source' | 'transform' | 'sink', fixed: (type: string) => object) {
  const types = Object.entries(stageTypes[kind]).filter(([type]) => !LEFT_OUT.includes(type));
  return fc.oneof(
    ...types.map(([type, { options, required }]) =>
      optionsOf(options, required).map((given) => ({ type, ...given, ...fixed(type) })),
    ),
  );
}

const source = stageOf('source', (type) => {
  if (type === 'zds') return { root: at('store'), collection: 'c' };
  return { path: at(type === 'csv' ? 'in.csv' : 'in.jsonl') };
});
const sink = stageOf('sink', (type) =>
  type === 'zds'
    ? { root: at(`lake${files}`), collection: 'c' }
    : { path: at(`out${files}`), compression: undefined },
);
const transforms = fc.array(
  stageOf('transform', () => ({})),
  { maxLength: 3 },
);
const pipeline = fc.record({ source, transforms, sink });

/** Every error of a stage on data it cannot take is fine; these say that lint or the run is wrong. */
function checkFailure(error: unknown): void {
  if (!isEtlError(error) || error.code === 'INTERNAL') throw error;
}

describe('pipeline files', () => {
  it('run when lint finds nothing, and else have a place', async () => {
    const tries = runs(150);
    let ran = 0;
    await fc.assert(
      fc.asyncProperty(pipeline, async (stages) => {
        const path = at(`p${files++}.yaml`);
        const text = stringify({ name: 'x', ...stages }, { aliasDuplicateObjects: false });
        writeFileSync(path, text);
        const findings = await lintPipeline(path);
        for (const { place } of findings) {
          expect(place.line).toBeGreaterThan(0);
          expect(place.line).toBeLessThanOrEqual(text.split('\n').length);
          expect(place.column).toBeGreaterThan(0);
        }
        if (findings.length > 0) return;
        const { options, close } = await loadPipeline(path);
        try {
          await run(options);
          ran++;
        } catch (error) {
          checkFailure(error);
        } finally {
          await close();
        }
      }),
      { numRuns: tries },
    );
    // More than half do: a tenth or fewer happen by chance once in a thousand million times.
    expect(ran).toBeGreaterThan(tries / 10);
  });

  it('are found out wherever they are spoilt in form', async () => {
    const spoil = fc.record({
      stage: fc.nat(),
      how: fc.constantFrom('name', 'value', 'type', 'drop'),
      pick: fc.nat(),
    });
    await fc.assert(
      fc.asyncProperty(pipeline, spoil, async (stages, { stage, how, pick }) => {
        const all: Record<string, unknown>[] = [stages.source, ...stages.transforms, stages.sink];
        const target = all[stage % all.length]!;
        const kind =
          target === stages.source ? 'source' : target === stages.sink ? 'sink' : 'transform';
        const { required } = stageTypes[kind][String(target.type)]!;
        const names = Object.keys(target).filter(
          (name) => name !== 'type' && target[name] !== undefined,
        );
        const name = names[pick % names.length] ?? 'type';
        if (how === 'name') target[`${name}_`] = 1;
        else if (how === 'type') target.type = `${String(target.type)}x`;
        else if (how === 'drop' && required.length > 0)
          delete target[required[pick % required.length]!];
        else target[name] = { surely: { wrong: [[]] } };
        if (how === 'value' && name === 'schema') return;
        const path = at(`q${files++}.json`);
        writeFileSync(path, JSON.stringify({ name: 'x', ...stages }, undefined, 2));
        const findings = await lintPipeline(path);
        expect(findings.length).toBeGreaterThan(0);
        for (const { place } of findings) expect(place.line).toBeGreaterThan(1);
      }),
      { numRuns: runs(150) },
    );
  });
});
