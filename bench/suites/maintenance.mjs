/** Frequent commits, single changes, compaction. */

const ours = { module: 'maintenance.mjs' };
const INGEST = 'zds-stream, ingest';
const QUARTER = 'a quarter of the documents';

export const maintenance = {
  name: 'maintenance',
  works: [
    {
      name: 'compact',
      title: 'Compact as many lines, a third of them dead, as ingest takes in',
      contestants: [
        { ...ours, ours: true, name: 'zds-stream', work: 'compact', note: 'open to close' },
        { ...ours, name: INGEST, work: 'ingest' },
      ],
      targets: [{ against: INGEST, withinTimes: 2 }],
    },
    {
      name: 'flushes',
      title:
        'Ingest with a synced commit every 1,000: sixteen times as many may take 20 times as long',
      contestants: [
        { ...ours, ours: true, name: 'four times', scale: 4, work: 'ingestFlushing' },
        { ...ours, name: 'all documents', work: 'ingestFlushing' },
        { ...ours, name: QUARTER, scale: 0.25, work: 'ingestFlushing' },
      ],
      targets: [{ against: QUARTER, withinTimes: 20 }],
    },
    {
      name: 'change',
      title: 'Open, change one document, commit, close',
      items: () => 1,
      contestants: [
        { ...ours, ours: true, name: 'delete', store: 'changing', work: 'deleteOne' },
        { ...ours, name: 'put', store: 'changing', work: 'putOne' },
      ],
      // Neither writes the index anew.
      targets: [{ against: 'put', withinTimes: 2 }],
    },
  ],
};
