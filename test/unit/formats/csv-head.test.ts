/** CSV whose reading fails within what is looked at first. */
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { type CsvOptions, decodeCsv } from '../../../src/formats/csv.ts';
import { csvSource, sniffCsv } from '../../../src/sources/csv-source.ts';

const rows = (count: number) => Array.from({ length: count }, (_, a) => ({ a, b: `x${a}` }));
const textOf = (count: number) =>
  rows(count).reduce((all, { a, b }) => `${all}${a},${b}\n`, 'a,b\n');

async function* failing(text: string, error: Error) {
  yield Buffer.from(text);
  throw error;
}

async function read(text: string, error: Error, options: CsvOptions) {
  const found: unknown[] = [];
  const reading = (async () => {
    for await (const batch of decodeCsv(failing(text, error), options)) {
      found.push(...batch.documents());
    }
  })();
  return { found, error: await reading.catch((thrown: unknown) => thrown) };
}

it.each<CsvOptions>([
  {},
  { documents: true },
  { batchBytes: 40 },
  { header: true, delimiter: ',', quote: '"', types: { a: 'integer' } },
])('gives the whole rows in front of a failure: %o', async (options) => {
  const error = new Error('boom');
  for (const count of [0, 1, 3000]) {
    for (const cut of ['', '9', '9,', '9,"\n']) {
      expect(await read(textOf(count) + cut, error, options)).toEqual({
        found: rows(count),
        error,
      });
    }
  }
  expect(await read('a', error, options)).toEqual({ found: [], error });
});

it('gives none where the failure may pass, so that what is tried again is taken for the same', async () => {
  const error = Object.assign(new Error('reset'), { code: 'ECONNRESET' });
  expect(await read(textOf(5), error, {})).toEqual({ found: [], error });
});

it('does not say what the file looks like where only a part came', async () => {
  await expect(sniffCsv(failing(textOf(5), new Error('boom')))).rejects.toThrow('boom');
});

it('gives none behind an abort', async () => {
  async function* silent() {
    yield Buffer.from(textOf(5));
    await sleep(60_000, undefined, { ref: false });
  }
  const stop = new AbortController();
  const found: unknown[] = [];
  const reading = (async () => {
    for await (const each of csvSource(silent(), { signal: stop.signal })) found.push(each);
  })();
  setTimeout(() => stop.abort(), 30);
  await expect(reading).rejects.toMatchObject({ code: 'ABORTED' });
  expect(found).toEqual([]);
});
