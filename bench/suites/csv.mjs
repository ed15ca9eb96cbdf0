/** CSV to JSON bytes, to typed objects (plain and all quoted), written again, and from JSON Lines. */

const ours = { module: 'csv.mjs' };
const peer = { peer: true, module: 'peers/csv.mjs' };

const forAwait = 'zds-stream, for await';

/** udsv and PapaParse hand over rows many at a time or in a plain call, csv-parse by `for await`. */
const toObjects = (suffix, work, byAwaiting) => [
  { ...ours, ours: true, name: 'zds-stream, batches', work },
  { ...ours, name: forAwait, work: byAwaiting },
  { ...peer, name: 'udsv', work: `udsv${suffix}`, note: 'incremental, typed; a call per row' },
  {
    ...peer,
    name: 'PapaParse',
    work: `papa${suffix}`,
    note: 'chunks of rows, three columns typed',
  },
  {
    ...peer,
    name: 'csv-parse',
    work: `csvParse${suffix}`,
    note: 'for await, three columns converted by hand',
  },
];
const targets = [
  { against: 'udsv', times: 1 },
  { against: 'PapaParse', times: 3 },
  { against: 'csv-parse', times: 8, by: forAwait },
];

export const csvSuite = {
  name: 'csv',
  works: [
    {
      name: 'csv-bytes',
      title: 'CSV to validated, typed JSON bytes',
      contestants: [
        { ...ours, ours: true, name: 'zds-stream', work: 'bytes' },
        { ...peer, name: 'DuckDB', work: 'duckdb', note: 'read_csv into a table' },
      ],
      targets: [{ against: 'DuckDB', times: 1 }, { seconds: 0.3 }],
    },
    {
      name: 'csv-objects',
      title: 'CSV to typed objects',
      contestants: toObjects('', 'objects', 'objectsAwaited'),
      targets,
    },
    {
      name: 'csv-quoted',
      title: 'CSV with every field quoted to typed objects',
      contestants: toObjects('Quoted', 'quoted', 'quotedAwaited'),
      targets,
    },
    {
      name: 'csv-write',
      title: 'CSV read and written again',
      contestants: [
        { ...ours, ours: true, name: 'zds-stream', work: 'write' },
        { ...peer, name: 'DuckDB', work: 'duckdbWrite', note: 'COPY TO' },
      ],
    },
    {
      name: 'csv-from-jsonl',
      title: 'JSON Lines to a CSV file, seven fields of each document',
      contestants: [
        { ...ours, ours: true, name: 'zds-stream', work: 'fromJsonl', note: 'validated, synced' },
        {
          ...peer,
          name: 'csv-stringify',
          work: 'csvStringify',
          note: 'JSON.parse per line, stream, not synced',
        },
        {
          ...peer,
          name: 'PapaParse',
          work: 'papaUnparse',
          note: 'JSON.parse per line, unparse of 1 MiB of lines at a time, not synced',
        },
      ],
      targets: [
        { against: 'csv-stringify', times: 3 },
        { against: 'PapaParse', times: 3 },
      ],
    },
  ],
};
