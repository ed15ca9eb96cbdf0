// Orders to their lines by country, and what each country sold.
// node orders.mjs FOLDER
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { aggregate, cast, fromIterable, jsonlSink, jsonlSource, tee, unnest } from 'zds-stream';

const folder = process.argv[2] ?? '.';
const orders = [
  {
    _id: 'o1',
    country: 'DE',
    lines: [
      { sku: 'a', price: '1.50' },
      { sku: 'b', price: '2' },
    ],
  },
  { _id: 'o2', country: 'FR', lines: [{ sku: 'a', price: '1.25' }] },
  { _id: 'o3', country: 'FR', lines: [{ sku: 'c', price: 'free' }] },
];

const byCountry = jsonlSink(join(folder, 'lines'), { partitionBy: 'country' });
const whole = jsonlSink(join(folder, 'lines.jsonl'));
const written = tee(byCountry, whole);
await pipeline(
  fromIterable(orders),
  unnest('lines'),
  cast({ 'lines.price': 'number' }, { onReject: ({ reason }) => console.log(reason) }),
  written,
);
const { sinks } = await written.summary;
for (const { path, documents } of sinks[0].files) console.log(`${path}: ${documents}`);

const sold = aggregate({
  by: 'country',
  measures: { lines: { count: true }, total: { sum: 'lines.price' } },
});
for await (const document of jsonlSource(join(folder, 'lines.jsonl')).pipe(sold)) {
  console.log(JSON.stringify(document));
}
