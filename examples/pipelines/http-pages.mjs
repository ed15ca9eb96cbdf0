/**
 * Pages of a web service into a store; run again it goes on behind the page that was committed last.
 *
 *     node http-pages.mjs URL STORE
 */
import { httpSource, run, zdsSink } from 'zds-stream';

const [url, store] = process.argv.slice(2);

const { read, written, resumed } = await run({
  name: 'movies',
  source: httpSource(url, {
    format: 'json',
    path: 'results',
    pages: { type: 'body', next: 'next' },
    retry: { retries: 3 },
  }),
  sink: zdsSink(store, 'movies', { generateIds: true, commitDocuments: 500 }),
  resume: true,
});
console.log(JSON.stringify({ read, written, resumed }));
