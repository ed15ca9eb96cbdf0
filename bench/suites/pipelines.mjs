/** End to end: CSV.gz over HTTP into a store, JSONL to Arrow, and a merge of as many as there are. */

const ours = { module: 'pipelines.mjs', ours: true, name: 'zds-stream' };
const peer = { peer: true, module: 'peers/pipelines.mjs' };
const byHand = 'fetch, zlib, csv-parse, better-sqlite3';

export const pipelines = {
  name: 'pipelines',
  works: [
    {
      name: 'http-csv',
      title: 'CSV.gz over HTTP into a store',
      contestants: [
        { ...ours, work: 'http' },
        { ...peer, name: byHand, work: 'httpByHand', note: 'one transaction, upsert' },
        { ...peer, name: 'DuckDB', work: 'duckdbFile', note: 'from the file; no key' },
      ],
      targets: [{ against: byHand, times: 5 }],
    },
    {
      name: 'jsonl-arrow',
      title: 'JSONL to Arrow, 8 columns of a given schema',
      contestants: [
        { ...ours, work: 'arrow' },
        { ...peer, name: 'nodejs-polars', module: 'peers/polars.mjs', work: 'arrow' },
        { ...peer, name: 'apache-arrow builders', module: 'peers/arrow.mjs', work: 'builders' },
      ],
      targets: [{ against: 'apache-arrow builders', times: 10 }],
    },
    {
      name: 'merge',
      title: 'Merge as many documents as there are, half of them newer versions',
      contestants: [
        { ...ours, work: 'merge', store: 'zds-merge' },
        {
          ...peer,
          name: 'better-sqlite3',
          work: 'mergeByHand',
          store: 'sqlite-merge',
          note: 'JSON.parse per line; one transaction, upsert',
        },
        {
          ...peer,
          name: 'DuckDB',
          work: 'mergeDuckdb',
          store: 'duckdb-merge',
          note: 'INSERT OR REPLACE; documents as text',
        },
      ],
      targets: [{ against: 'better-sqlite3', times: 3 }],
    },
  ],
};
