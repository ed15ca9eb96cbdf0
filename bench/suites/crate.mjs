/** The published Rust crate of the same format, at the same works in the same run. */
import { FLUSHED } from '../crate.mjs';

const CRATE = 'crate zippy_data';
const ours = { module: 'crate.mjs' };
const crate = { ...ours, name: CRATE };
const unsynced = 'never synced';

export const crateSuite = {
  name: 'crate',
  works: [
    {
      name: 'crate-put',
      title: 'Crate: ingest, one flush at the end',
      contestants: [
        { ...ours, ours: true, name: 'zds-stream', work: 'ourIngest', note: 'synced' },
        { ...ours, name: 'zds-stream, put', work: 'ourPut', note: 'parse + put' },
        { ...crate, work: 'put', note: `parse + put; ${unsynced}` },
      ],
      targets: [{ against: CRATE, times: 4 }],
    },
    {
      name: 'crate-flush',
      title: 'Crate: put, a flush every 1,000 (at most 100,000 documents)',
      items: (count) => Math.min(count, FLUSHED),
      contestants: [
        {
          ...ours,
          ours: true,
          name: 'zds-stream, put',
          work: 'ourPutFlushing',
          note: 'each flush synced',
        },
        { ...crate, work: 'putFlushing', note: unsynced },
      ],
    },
    {
      name: 'crate-scan',
      title: 'Crate: all documents at once',
      contestants: [
        {
          ...ours,
          ours: true,
          name: 'zds-stream, scanAll',
          store: 'zds',
          work: 'ourScanAll',
        },
        { ...ours, name: 'zds-stream, streaming', store: 'zds', work: 'ourScan' },
        { ...crate, store: 'crate', work: 'scan', note: 'all cores' },
      ],
      targets: [{ against: CRATE, times: 3 }],
    },
    {
      name: 'crate-get',
      title: 'Crate: get 100,000 random ids',
      items: (count) => Math.min(count, 100_000),
      contestants: [
        { ...ours, ours: true, name: 'zds-stream', store: 'zds', work: 'ourGet' },
        { ...crate, store: 'crate', work: 'get' },
      ],
      targets: [{ against: CRATE, times: 1 }],
    },
    {
      name: 'crate-open',
      title: 'Crate: open and get one document',
      items: () => 1,
      contestants: [
        { ...ours, ours: true, name: 'zds-stream', store: 'zds', work: 'ourOpen' },
        { ...crate, store: 'crate', work: 'open' },
      ],
      targets: [{ against: CRATE, times: 10 }],
    },
    {
      name: 'crate-rebuild',
      title: 'Crate: open without index.bin',
      items: (count) => count,
      contestants: [
        {
          ...ours,
          ours: true,
          name: 'zds-stream',
          store: 'zds-rebuild',
          work: 'ourOpenRebuilding',
        },
        { ...crate, store: 'crate-rebuild', work: 'openRebuilding' },
      ],
      targets: [{ seconds: 1 }],
    },
  ],
};
