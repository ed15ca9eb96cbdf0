/** Eight columns (all but the tags) to an Arrow file, and a tenth of the documents to JSONL. */

const ours = { module: 'ours.mjs', store: 'zds' };
const baseline = { module: 'baselines.mjs' };
const peer = { peer: true };
const fromFile = 'from the JSONL file';

export const exportSuite = {
  name: 'export',
  works: [
    {
      name: 'arrow',
      title: 'Export 8 columns to an Arrow file',
      contestants: [
        { ...ours, ours: true, name: 'zds-stream', work: 'arrow' },
        {
          ...ours,
          name: 'zds-stream, file to file',
          work: 'arrowFile',
          store: undefined,
          note: fromFile,
        },
        {
          ...peer,
          name: 'nodejs-polars',
          module: 'peers/polars.mjs',
          work: 'arrow',
          note: 'lazy scan to sinkIpc',
        },
        {
          ...peer,
          name: 'typed arrays + makeData',
          module: 'peers/arrow.mjs',
          work: 'byHand',
          note: 'apache-arrow, by hand',
        },
        {
          ...peer,
          name: 'apache-arrow builders',
          module: 'peers/arrow.mjs',
          work: 'builders',
          note: fromFile,
        },
        {
          ...peer,
          name: 'DuckDB to Parquet',
          module: 'peers/duckdb.mjs',
          work: 'parquet',
          note: 'for reference: another format',
        },
      ],
      targets: [
        { against: 'nodejs-polars', times: 2 },
        { against: 'apache-arrow builders', times: 15 },
      ],
    },
    {
      name: 'jsonl',
      title: 'Filtered export to JSONL',
      contestants: [
        { ...ours, ours: true, name: 'zds-stream', work: 'jsonl' },
        {
          ...ours,
          name: 'zds-stream, file to file',
          work: 'jsonlFile',
          store: undefined,
          note: fromFile,
        },
        { ...baseline, name: 'JSON.parse per line', work: 'filterToFile', note: fromFile },
        { ...peer, name: 'DuckDB', module: 'peers/duckdb.mjs', work: 'jsonl', note: fromFile },
      ],
      targets: [{ against: 'DuckDB', times: 1 }],
    },
  ],
};
