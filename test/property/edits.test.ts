/** The transforms that work on bytes, against plain functions over objects. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Transform } from '../../src/core/stage.ts';
import {
  castTransform,
  flattenTransform,
  renameTransform,
  unnestTransform,
} from '../../src/transforms/index.ts';
import { documentLines, jsonObject } from '../support/random-documents.ts';
import { applyTo, batchesOf, parsed, textsOf } from '../support/transforms.ts';

type Fields = Record<string, unknown>;

/** Each key once, as `JSON.stringify` writes it. */
const plainLines = fc
  .array(jsonObject, { minLength: 1, maxLength: 12 })
  .map((texts) => texts.map((text) => JSON.stringify(JSON.parse(text))));
const each = fc.integer({ min: 1, max: 5 });
const REFUSED = Symbol('refused');

/** What comes out is what the model makes of each document; what it refuses is rejected, in order. */
async function agree(
  transform: () => Transform,
  texts: readonly string[],
  batchSize: number,
  model: (document: Fields, text: string) => readonly Fields[] | typeof REFUSED,
) {
  const { batches, texts: made, rejects } = await applyTo(transform(), batchesOf(texts, batchSize));
  const expected: unknown[] = [];
  const from: number[] = [];
  const refused: string[] = [];
  for (const [i, text] of texts.entries()) {
    const answer = model(JSON.parse(text) as Fields, text);
    if (answer === REFUSED) refused.push(text);
    else for (const document of answer) expected.push(document) && from.push(i);
  }
  expect(parsed(made)).toEqual(expected);
  expect(rejects.map(({ bytes }) => Buffer.from(bytes).toString())).toEqual(refused);
  const places = batches.flatMap((b) => Array.from({ length: b.length }, (_, i) => b.place(i)));
  expect(places.map(({ ordinal, line }) => [ordinal, line])).toEqual(from.map((i) => [i, i + 1]));
}

function entriesOf(value: object): [string, unknown][] {
  return Object.entries(value);
}

/** As JSON.parse sets it: `__proto__` is a field like others. */
function fromEntries(entries: Iterable<readonly [string, unknown]>): Fields {
  return Object.fromEntries(entries);
}

const isObject = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

describe('rename', () => {
  const names = fc.constantFrom('a', 'b', 'c', '_id', 'é', '', '__proto__', 'new name', 'a"b\\');
  it('agrees with a rename of object keys', async () => {
    await fc.assert(
      fc.asyncProperty(
        plainLines,
        each,
        fc.uniqueArray(fc.tuple(names, names), { maxLength: 4, selector: ([from]) => from }),
        async (texts, size, pairs) => {
          const fields = new Map<string, string>(pairs.filter(([from]) => from !== ''));
          fc.pre(new Set(fields.values()).size === fields.size);
          const escaped = (name: string) => name.replace(/[\\.]/g, '\\$&');
          const input = fromEntries([...fields].map(([from, to]) => [escaped(from), to]));
          await agree(
            () => renameTransform(input as Record<string, string>),
            texts,
            size,
            (document) => {
              const renamed = entriesOf(document).map(
                ([name, value]) => [fields.get(name) ?? name, value] as const,
              );
              const made = renamed.map(([name]) => name);
              const collides = [...fields.values()].some(
                (name) => made.indexOf(name) !== made.lastIndexOf(name),
              );
              return collides ? REFUSED : [fromEntries(renamed)];
            },
          );
        },
      ),
    );
  });

  it('leaves every other byte as it was', async () => {
    await fc.assert(
      fc.asyncProperty(documentLines, each, async (texts, size) => {
        const there = await applyTo(
          renameTransform({ a: 'other a', 'b.c': 'x' }),
          batchesOf(texts, size),
        );
        const back = await applyTo(renameTransform({ 'other a': 'a', 'b.x': 'c' }), there.batches);
        const refused = there.rejects.length + back.rejects.length;
        if (refused === 0) {
          const plain = (text: string) => text.replaceAll('"\\u0061"', '"a"').trim();
          expect(back.texts.map(plain)).toEqual(texts.map(plain));
        } else expect(back.texts.length).toBe(texts.length - refused);
      }),
    );
  });
});

describe('cast', () => {
  it('agrees with a function over values, wherever the path leads', async () => {
    await fc.assert(
      fc.asyncProperty(plainLines, each, async (texts, size) => {
        const wrap = (value: unknown) => ({ was: value });
        const model = (value: unknown): unknown => (value === null ? null : wrap(value));
        const within = (value: unknown): unknown => {
          if (Array.isArray(value)) return value.map((v) => (isObject(v) ? inner(v) : v));
          return isObject(value) ? inner(value) : value;
        };
        const inner = (object: Fields) =>
          fromEntries(entriesOf(object).map(([k, v]) => [k, k === 'c' ? model(v) : v]));
        await agree(
          () => castTransform({ a: wrap, 'b.c': wrap }),
          texts,
          size,
          (document) => [
            fromEntries(
              entriesOf(document).map(([k, v]) => [
                k,
                k === 'a' ? model(v) : k === 'b' ? within(v) : v,
              ]),
            ),
          ],
        );
      }),
    );
  });

  it('to text and back to numbers changes no byte', async () => {
    const numbers = fc.oneof(
      fc.bigInt().map(String),
      fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => JSON.stringify(value)),
      fc.constantFrom('1.0', '-0', '1E400', '123456789012345678901234567890', '0.10'),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(numbers, { minLength: 1 }), async (values) => {
        const texts = values.map((value) => `{ "x":0,"a" : ${value} }`);
        const asText = await applyTo(castTransform({ a: 'string' }), batchesOf(texts, 3));
        expect(asText.texts).toEqual(values.map((value) => `{ "x":0,"a" : "${value}" }`));
        const back = await applyTo(castTransform({ a: 'number' }), asText.batches);
        expect(back.texts).toEqual(texts);
      }),
    );
  });
});

describe('flatten', () => {
  it('agrees with a recursive function', async () => {
    const flat = (object: Fields, depth: number, max: number): [string, unknown][] =>
      entriesOf(object).flatMap(([name, value]) =>
        isObject(value) && entriesOf(value).length > 0 && depth < max
          ? flat(value, depth + 1, max).map(([k, v]): [string, unknown] => [`${name}_${k}`, v])
          : [[name, value] as [string, unknown]],
      );
    await fc.assert(
      fc.asyncProperty(
        plainLines,
        each,
        fc.constantFrom(1, 2, Number.POSITIVE_INFINITY),
        async (texts, size, maxDepth) => {
          await agree(
            () => flattenTransform({ maxDepth }),
            texts,
            size,
            (document) => {
              const entries = flat(document, 0, maxDepth);
              const names = new Set(entries.map(([name]) => name));
              return names.size < entries.length ? REFUSED : [fromEntries(entries)];
            },
          );
        },
      ),
    );
  });
});

describe('unnest', () => {
  it('agrees with a loop over the array', async () => {
    await fc.assert(
      fc.asyncProperty(
        plainLines,
        each,
        fc.constantFrom('drop' as const, 'keep' as const),
        fc.constantFrom('number' as const, 'keep' as const),
        fc.constantFrom('a', 'b.c', '_id'),
        async (texts, size, empty, ids, path) => {
          await agree(
            () => unnestTransform(path, { empty, ids }),
            texts,
            size,
            (document) => unnested(document, path.split('.'), empty, ids),
          );
        },
      ),
    );
  });

  function unnested(document: Fields, path: string[], empty: string, ids: string) {
    let at: unknown = document;
    for (const step of path) {
      if (Array.isArray(at)) return REFUSED;
      at = isObject(at) && Object.hasOwn(at, step) ? at[step] : undefined;
    }
    const elements = Array.isArray(at) ? at : at === undefined || at === null ? [] : [at];
    if (elements.length === 0) return empty === 'keep' ? [document] : [];
    return elements.map((element, i) => {
      const put = (value: Fields, [step, ...rest]: string[]): Fields =>
        fromEntries(
          entriesOf(value).map(([k, v]) => {
            if (k !== step) return [k, v];
            return [k, rest.length === 0 ? element : put(v as Fields, rest)];
          }),
        );
      const made = put(document, path);
      const numbered = ids === 'number' && Array.isArray(at) && path[0] !== '_id';
      if (!numbered || !Object.hasOwn(made, '_id')) return made;
      const id = made._id;
      if (typeof id === 'number') return { ...made, _id: `${JSON.stringify(id)}-${i}` };
      return typeof id === 'string' ? { ...made, _id: `${id}-${i}` } : made;
    });
  }

  it('makes documents of whatever documents there are, in pieces of bounded size', async () => {
    const text = `{"pad":"${'x'.repeat(5000)}","a":[${Array.from({ length: 3000 }, (_, i) => i)}]}`;
    const { batches } = await applyTo(unnestTransform('a'), batchesOf([text, text], 2));
    expect(batches.length).toBeGreaterThan(20);
    expect(Math.max(...batches.map((batch) => batch.byteLength))).toBeLessThan(1 << 21);
    const cursors = batches.map((batch) => batch.cursor);
    expect(cursors.slice(0, -1).every((cursor) => cursor === undefined)).toBe(true);
    expect(cursors.at(-1)).toEqual({ behind: 2 });
    await fc.assert(
      fc.asyncProperty(documentLines, each, async (texts, size) => {
        const made = await applyTo(unnestTransform('a', { empty: 'keep' }), batchesOf(texts, size));
        for (const batch of made.batches) textsOf(batch);
      }),
    );
  });
});
