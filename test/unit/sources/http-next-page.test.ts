/** Pages of `httpSource` with bad documents on them, and the way to the next. */
import { describe, expect, it } from 'vitest';
import { type HttpSourceOptions, httpSource } from '../../../src/sources/http-source.ts';
import { serve } from '../../support/http-server.ts';

interface Body {
  readonly items: readonly unknown[];
  readonly meta: { readonly next: string | null };
}

/** Three pages, each with `items` between its own; what is read of them, bad ones and the failure. */
async function readAll(items: string, options: HttpSourceOptions) {
  const { base } = await serve((request, response) => {
    const page = Number(new URL(request.url!, 'http://host').searchParams.get('page') ?? 0);
    const about = page < 2 ? `{"next":"/?page=${page + 1}","page":${page + 1}}` : '{"next":null}';
    response.setHeader('content-type', 'application/json');
    response.end(`\ufeff{"data":{"items":[{"n":${page}},${items}]},"meta":${about}}`);
  });
  const seen: unknown[] = [];
  const bad: string[] = [];
  const onError = ({ bytes }: { bytes: Uint8Array }) => void bad.push(String(Buffer.from(bytes)));
  const reading = async () => {
    const source = httpSource<{ n?: number }>(base, { path: 'data.items', onError, ...options });
    for await (const { n } of source) if (n !== undefined) seen.push(n);
  };
  const failed = await reading().catch((error: unknown) => error);
  return { seen, bad: bad.length, failed };
}

const ways: [string, HttpSourceOptions['pages']][] = [
  ['a link in the body', { type: 'body', next: 'meta.next' }],
  ['a cursor', { type: 'cursor', cursor: 'meta.page', parameter: 'page' }],
  ['a function', ({ json }) => (json() as Body).meta.next ?? undefined],
];
const filler = `{"pad":"${'x'.repeat(1000)}"},`;

describe.each(ways)('a bad document does not hide %s', (_, pages) => {
  it.each([
    ['a number that is none', '{"v":NaN}', 1],
    ['several, and a word', '{"v":NaN},{}, oh ,{"v":01}\n,{"v":"a\n"}', 4],
    ['brackets of the wrong kind', '{"b":[}{]}', 1],
    ['one in front of many that are good', `{"v":NaN},${filler.repeat(2000)}{}`, 1],
    ['one behind many that are good', `${filler.repeat(2000)}{"v":NaN}`, 1],
  ])('%s', async (_, items, bad) => {
    expect(await readAll(items, { pages: pages! })).toEqual({
      seen: [0, 1, 2],
      bad: 3 * bad,
      failed: undefined,
    });
  });

  it('but what is wrong elsewhere does', async () => {
    const { seen, failed } = await readAll('{}],"other":[NaN', { pages: pages! });
    expect(seen).toEqual([0]);
    expect(failed).toMatchObject({ code: 'JSON_ERROR' });
  });
});

it('gives a function null for a bad document', async () => {
  const found: unknown[] = [];
  const pages: HttpSourceOptions['pages'] = ({ json }) => {
    found.push((json() as { data: Body }).data.items);
    return undefined;
  };
  await readAll('{"v":NaN},{"v":1},5', { pages });
  expect(found).toEqual([[{ n: 0 }, null, { v: 1 }, 5]]);
});

it.each(['[1 }', '[', '[,', '{"a":[1', '{"data":{"items":[1 }'])('ends for %s', async (body) => {
  const { base } = await serve((_, response) => response.end(`${body}\n`));
  const pages = { type: 'body', next: 'data.items.1' } as const;
  const reading = httpSource(base, { format: 'jsonl', pages, onError: 'skip' }).toArray();
  await expect(reading).rejects.toMatchObject({ code: 'JSON_ERROR' });
});
