/** Every document as a JavaScript object, and a selection of a tenth with two fields. */

const ours = { module: 'ours.mjs', store: 'zds' };
const baseline = { module: 'baselines.mjs' };
const peer = { peer: true };

export const scan = {
  name: 'scan',
  works: [
    {
      name: 'scan',
      title: 'Scan to full JavaScript objects',
      contestants: [
        { ...ours, ours: true, name: 'zds-stream, batches of documents', work: 'scanBatches' },
        { ...ours, name: 'zds-stream, for await over a store', work: 'scan' },
        {
          ...ours,
          name: 'zds-stream, for await over the file',
          work: 'scanFile',
          store: undefined,
        },
        {
          ...baseline,
          name: 'JSON.parse of 64 KiB joined',
          work: 'scanJoined',
          note: 'best hand-written loop',
        },
        { ...baseline, name: 'JSON.parse per line', work: 'scanLines', note: '1 MiB reads' },
        { ...baseline, name: 'readline + JSON.parse', work: 'scanReadline' },
        {
          ...peer,
          name: 'lmdb',
          module: 'peers/lmdb.mjs',
          store: 'lmdb',
          work: 'scan',
          note: 'msgpack, shared structures',
        },
        {
          ...peer,
          name: 'better-sqlite3',
          module: 'peers/sqlite.mjs',
          store: 'sqlite',
          work: 'scan',
          note: 'iterate + JSON.parse',
        },
        {
          ...peer,
          name: 'split2 + JSON.parse',
          module: 'peers/streams.mjs',
          work: 'scanSplit2',
          note: 'in a pipeline',
        },
        {
          ...peer,
          name: 'stream-json',
          module: 'peers/streams.mjs',
          work: 'scanStreamJson',
          note: 'JSONL parser',
        },
        {
          ...peer,
          name: 'DuckDB',
          module: 'peers/duckdb.mjs',
          store: 'duckdb',
          work: 'scan',
          note: 'row objects',
        },
      ],
      targets: [
        { against: 'JSON.parse of 64 KiB joined', times: 2 },
        { against: 'lmdb', times: 2 },
        { against: 'split2 + JSON.parse', times: 4 },
      ],
    },
    {
      name: 'filter',
      title: 'Filter one field (a tenth kept) and project two',
      contestants: [
        { ...ours, ours: true, name: 'zds-stream, store to objects', work: 'filter' },
        { ...ours, name: 'zds-stream, file to objects', work: 'filterFile', store: undefined },
        { ...baseline, name: 'JSON.parse per line', work: 'filterLines' },
        {
          ...peer,
          name: 'DuckDB, its own table',
          module: 'peers/duckdb.mjs',
          store: 'duckdb',
          work: 'filterTable',
        },
        {
          ...peer,
          name: 'DuckDB, the JSONL file',
          module: 'peers/duckdb.mjs',
          work: 'filterFile',
          note: 'columns declared',
        },
        {
          ...peer,
          name: 'DuckDB, the JSONL file, 1 thread',
          module: 'peers/duckdb.mjs',
          work: 'filterFileOneThread',
          note: 'columns declared',
        },
        {
          ...peer,
          name: 'better-sqlite3',
          module: 'peers/sqlite.mjs',
          store: 'sqlite-jsonb',
          work: 'filter',
          note: 'JSONB extract',
        },
        {
          ...peer,
          name: 'lmdb',
          module: 'peers/lmdb.mjs',
          store: 'lmdb',
          work: 'filter',
          note: 'msgpack',
        },
        {
          ...peer,
          name: 'nodejs-polars',
          module: 'peers/polars.mjs',
          work: 'filter',
          note: 'lazy scan of the file',
        },
      ],
      targets: [
        { against: 'DuckDB, the JSONL file, 1 thread', times: 3 },
        { against: 'JSON.parse per line', times: 10 },
        { against: 'DuckDB, its own table', withinTimes: 1 },
      ],
    },
  ],
};
