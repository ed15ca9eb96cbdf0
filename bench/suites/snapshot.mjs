/** A column summed from its snapshot, and scans that statistics shorten. */

const ours = { module: 'snapshot.mjs', store: 'zds-columns' };
const DOCUMENTS = 'zds-stream, documents';
const ARROW = 'apache-arrow, the same columns in a mapped file';
const PLAIN = 'zds-stream, without a snapshot';

export const snapshot = {
  name: 'snapshot',
  works: [
    {
      name: 'sum',
      title: 'Sum one column in a fresh process, from the moment that everything is loaded',
      contestants: [
        { ...ours, ours: true, name: 'zds-stream, snapshot', work: 'sumSnapshot' },
        { ...ours, name: ARROW, work: 'sumArrow' },
        { ...ours, name: DOCUMENTS, work: 'sumDocuments' },
      ],
      // As quick, but for noise.
      targets: [{ seconds: 0.02 }, { against: ARROW, times: 0.9 }],
    },
    {
      name: 'totals',
      title: 'The same by the statistics of the snapshot, of which no values are read',
      contestants: [
        { ...ours, ours: true, name: 'zds-stream, totals', work: 'sumTotals' },
        { ...ours, name: DOCUMENTS, work: 'sumDocuments' },
      ],
      targets: [{ against: DOCUMENTS, times: 50 }],
    },
    {
      name: 'late',
      title: 'The last hundredth of the documents, by id',
      contestants: [
        { ...ours, ours: true, name: 'zds-stream, snapshot', work: 'late' },
        { ...ours, name: PLAIN, store: 'zds-plain', work: 'latePlain' },
      ],
      targets: [{ against: PLAIN, times: 5 }],
    },
  ],
};
