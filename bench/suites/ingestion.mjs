/** From a JSONL file into a durable store by id: read, validated, indexed, synced. */

const ours = { module: 'ours.mjs', ours: true };
const baseline = { module: 'baselines.mjs' };
const peer = { peer: true };

const synced = 'synced at the end';

export const ingestion = {
  name: 'ingestion',
  works: [
    {
      name: 'ingest',
      title: 'Ingest a JSONL file into a store',
      contestants: [
        { ...ours, name: 'zds-stream', work: 'ingest' },
        { ...baseline, name: 'copy in 1 MiB chunks', work: 'copy', note: 'no index; fsync' },
        {
          ...peer,
          name: 'DuckDB',
          module: 'peers/duckdb.mjs',
          work: 'ingest',
          note: 'no key; CHECKPOINT',
        },
        {
          ...peer,
          name: 'DuckDB, 1 thread',
          module: 'peers/duckdb.mjs',
          work: 'ingestOneThread',
          note: 'no key; CHECKPOINT',
        },
        {
          ...peer,
          name: 'DuckDB, primary key',
          module: 'peers/duckdb.mjs',
          work: 'ingestKeyed',
          note: 'CHECKPOINT',
        },
        {
          ...peer,
          name: 'lmdb',
          module: 'peers/lmdb.mjs',
          work: 'ingest',
          note: `strings, append; ${synced}`,
        },
        {
          ...peer,
          name: 'better-sqlite3',
          module: 'peers/sqlite.mjs',
          work: 'ingest',
          note: 'multi-row, WAL, synchronous=NORMAL; checkpoint at the end',
        },
        {
          ...peer,
          name: 'classic-level',
          module: 'peers/level.mjs',
          work: 'ingest',
          note: `strings; ${synced}`,
        },
      ],
      targets: [
        { against: 'better-sqlite3', times: 4 },
        { against: 'lmdb', times: 4 },
        { against: 'classic-level', times: 4 },
        { against: 'DuckDB', times: 3 },
        { against: 'copy in 1 MiB chunks', withinTimes: 1.5 },
      ],
    },
    {
      name: 'ingest-memory',
      title: 'Memory while ingesting, one run in a fresh process',
      singleRun: true,
      contestants: [
        { ...ours, name: 'zds-stream', work: 'ingest' },
        { ...ours, ours: false, name: 'zds-stream, a quarter', work: 'ingest', scale: 0.25 },
        { ...ours, ours: false, name: 'zds-stream, four times', work: 'ingest', scale: 4 },
      ],
      targets: [{ mebibytes: 200 }],
    },
  ],
};
