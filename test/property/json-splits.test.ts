import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Path } from '../../src/core/path.ts';
import { decodeJson, type JsonCursor } from '../../src/formats/json.ts';
import { runs } from '../support/long.ts';

interface Outcome {
  documents: unknown[];
  places: unknown[];
  rejects: unknown[];
  error: string | undefined;
  cursors: { cursor: JsonCursor; documents: number; rejects: number }[];
}

async function decode(
  chunks: Iterable<Uint8Array>,
  path: Path,
  from?: JsonCursor,
  ordinal = 0,
  documents = false,
) {
  const outcome: Outcome = {
    ...{ documents: [], places: [], rejects: [] },
    ...{ error: undefined, cursors: [] },
  };
  const options = {
    ...{ batchBytes: 1, maxLineBytes: 60, path, ordinal, documents },
    ...(from ? { from } : {}),
    onError: ({ code, place, bytes }: { code: string; place: object; bytes: Uint8Array }) =>
      outcome.rejects.push({ code, place, bytes: Buffer.from(bytes).toString() }),
  };
  try {
    for await (const batch of decodeJson(chunks, options)) {
      outcome.documents.push(...batch.documents());
      for (let i = 0; i < batch.length; i++) outcome.places.push(batch.place(i));
      outcome.cursors.push({
        cursor: batch.cursor as JsonCursor,
        documents: outcome.documents.length,
        rejects: outcome.rejects.length,
      });
    }
  } catch (error) {
    outcome.error = String(error);
  }
  return outcome;
}

const space = fc.constantFrom('', '', ' ', '\n', '\r\n\t');
const document = fc.dictionary(fc.constantFrom('a', 'items', '\n', 'é€'), fc.jsonValue(), {
  maxKeys: 3,
});
const written = fc
  .tuple(document, fc.constantFrom(0, 0, 1))
  .map(([value, indent]) => JSON.stringify(value, undefined, indent));
const bad = fc.constantFrom('7', 'null', '"s"', '[{}]', '{"a" 1}', '{"a":nul}', '{"\n":1}');
const array = fc
  .tuple(fc.array(fc.oneof({ weight: 6, arbitrary: written }, bad), { maxLength: 6 }), space, space)
  .map(([elements, before, after]) => `[${before}${elements.join(`${before},${after}`)}${after}]`);
const top = fc.oneof(
  fc.array(fc.oneof(array, written), { minLength: 1, maxLength: 4 }).map((all) => all.join('')),
  fc.tuple(array, space).map((parts) => parts.join('')),
);
const nested = fc
  .tuple(written, array, space, fc.boolean())
  .map(([value, elements, gap, wrapped]) => {
    const inner = `{"x":${value},${gap}"it\\u0065ms"${gap}:${elements},"y":[${value}]}${gap}`;
    return wrapped ? `{"a":${inner}}` : `{"a":${inner},"z":{"items":[]}}${gap}{"a":{"items":null}}`;
  });
const spoil = (text: string) =>
  fc
    .tuple(fc.nat(text.length), fc.constantFrom('', ',', ']', '{', '"', '\\', '\n'))
    .map(([at, by]) => {
      return text.slice(0, at) + by + text.slice(by === '' ? text.length : at);
    });
const cases = fc.oneof(
  top.map((text) => ({ text, path: [] as Path })),
  nested.map((text) => ({ text, path: ['a', 'items'] as Path })),
);
const broken = cases.chain(({ text, path }) =>
  spoil(text).map((spoilt) => ({ text: spoilt, path })),
);

describe('JSON cut anywhere', () => {
  it('gives the same documents, places, rejects and errors as in one piece', async () => {
    await fc.assert(
      fc.asyncProperty(fc.oneof(cases, broken), fc.nat(), async ({ text, path }, seed) => {
        const bytes = new TextEncoder().encode(text);
        const whole = await decode([bytes], path);
        const single = Array.from(bytes, (_, i) => bytes.subarray(i, i + 1));
        const cut = seed % (bytes.length + 1);
        const halves = [bytes.subarray(0, cut), bytes.subarray(cut)];
        for (const chunks of [single, halves]) {
          const split = await decode(chunks, path);
          expect({ ...split, cursors: [] }).toEqual({ ...whole, cursors: [] });
        }
      }),
      { numRuns: runs(200) },
    );
  });

  it('goes on from every cursor, and refuses there what it refuses when read whole', async () => {
    const any = fc.oneof(cases, broken);
    await fc.assert(
      fc.asyncProperty(
        any,
        fc.integer({ min: 1, max: 40 }),
        fc.boolean(),
        async (given, size, objects) => {
          const { text, path } = given;
          const bytes = new TextEncoder().encode(text);
          const cut = (from: number) => {
            const chunks: Uint8Array[] = [];
            for (let i = from; i < bytes.length; i += size)
              chunks.push(bytes.subarray(i, i + size));
            return chunks;
          };
          const whole = await decode(cut(0), path, undefined, 0, objects);
          for (const { cursor, documents, rejects } of whole.cursors) {
            const rest = await decode(cut(cursor.offset), path, cursor, documents, objects);
            expect(rest.documents).toEqual(whole.documents.slice(documents));
            expect(rest.places).toEqual(whole.places.slice(documents));
            expect(rest.rejects).toEqual(whole.rejects.slice(rejects));
            expect(rest.error).toEqual(whole.error);
          }
        },
      ),
      { numRuns: runs(150) },
    );
  });

  it('finds what JSON.parse finds', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(document), fc.nat(4), async (documents, indent) => {
        const text = JSON.stringify(documents, undefined, indent);
        const found: unknown[] = [];
        for await (const batch of decodeJson([new TextEncoder().encode(text)])) {
          found.push(...batch.documents());
        }
        expect(found).toEqual(JSON.parse(text));
      }),
      { numRuns: runs(100) },
    );
  });
});
