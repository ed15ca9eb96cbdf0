/** 100,000 documents by random id (fewer where the store is smaller), each to an object. */

const peer = { peer: true };

export const randomAccess = {
  name: 'random_access',
  works: [
    {
      name: 'get',
      title: 'Get 100,000 random ids as objects',
      items: (count) => Math.min(count, 100_000),
      contestants: [
        { name: 'zds-stream', module: 'ours.mjs', store: 'zds', work: 'get', ours: true },
        {
          name: 'Map + buffer + JSON.parse',
          module: 'baselines.mjs',
          work: 'get',
          note: 'all in memory, by hand',
        },
        {
          ...peer,
          name: 'lmdb',
          module: 'peers/lmdb.mjs',
          store: 'lmdb',
          work: 'get',
          note: 'msgpack',
        },
        {
          ...peer,
          name: 'better-sqlite3',
          module: 'peers/sqlite.mjs',
          store: 'sqlite',
          work: 'get',
          note: 'mmap, one transaction',
        },
        {
          ...peer,
          name: 'classic-level',
          module: 'peers/level.mjs',
          store: 'level',
          work: 'get',
          note: 'getSync',
        },
        {
          ...peer,
          name: 'DuckDB',
          module: 'peers/duckdb.mjs',
          store: 'duckdb',
          work: 'get',
          note: 'join with the ids',
        },
      ],
      targets: [{ against: 'lmdb', times: 1 }],
    },
  ],
};
