/** Opening a store: until the first document can be fetched. */

const ours = { module: 'ours.mjs', store: 'zds' };
const peer = { peer: true };

export const indexSuite = {
  name: 'index',
  works: [
    {
      name: 'open',
      title: 'Open a store and get one document',
      items: () => 1,
      contestants: [
        { ...ours, ours: true, name: 'zds-stream', work: 'open' },
        {
          ...ours,
          name: 'zds-stream, index.bin lost',
          work: 'openRebuilding',
          store: 'zds-rebuild',
          note: 'built anew from the data',
        },
        {
          ...peer,
          name: 'lmdb',
          module: 'peers/lmdb.mjs',
          store: 'lmdb',
          work: 'open',
          note: 'index stays on disk',
        },
        {
          ...peer,
          name: 'better-sqlite3',
          module: 'peers/sqlite.mjs',
          store: 'sqlite',
          work: 'open',
          note: 'index stays on disk',
        },
        {
          ...peer,
          name: 'classic-level',
          module: 'peers/level.mjs',
          store: 'level',
          work: 'open',
          note: 'index stays on disk',
        },
      ],
      targets: [{ seconds: 0.2 }],
    },
  ],
};
