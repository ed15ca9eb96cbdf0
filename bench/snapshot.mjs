/** Column snapshots: a column summed in a fresh process, and a scan that statistics shorten. */
import { execFileSync } from 'node:child_process';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import { arrowSink, FastStore, gte, jsonlSource, zdsSink, zdsSource } from '../dist/index.js';
import { documentId } from './generate.mjs';
import { Digest } from './lib/digest.mjs';

const COLLECTION = 'docs';
const STORE = 'zds-columns';
const script = fileURLToPath(new URL('sum-column.mjs', import.meta.url));

export const stores = {
  async [STORE](path, { file }) {
    await stores['zds-plain'](path, { file });
    const store = await FastStore.open(path, COLLECTION);
    await store.snapshot({ columns: ['_id', 'score'] });
    await store.close();
    await pipeline(
      zdsSource(path, COLLECTION, { select: ['_id', 'score'] }),
      arrowSink(`${path}.arrow`),
    );
  },
  'zds-plain': (path, { file }) => pipeline(jsonlSource(file), zdsSink(path, COLLECTION)),
};

const summing = (way, ending = '') => ({
  run({ store }, state = {}) {
    state.last = JSON.parse(execFileSync(process.execPath, [script, way, store(STORE) + ending]));
    return state.last;
  },
  setup: () => ({}),
  // The order of adding shows in the last digits.
  digest: (_, { last }) => last.result.toPrecision(12),
});

/** The last hundredth, by id: what came last stands last. */
const late = (key) => ({
  run: ({ store, count }) => readLate(store(key), count),
  digest: ({ store, count }) => readLate(store(key), count),
});

async function readLate(path, count) {
  const digest = new Digest();
  const where = gte('_id', documentId(Math.floor(count * 0.99)));
  for await (const document of zdsSource(path, COLLECTION, { where })) digest.add(document);
  return digest;
}

export const works = {
  sumSnapshot: summing('snapshot'),
  sumTotals: summing('totals'),
  sumArrow: summing('arrow', '.arrow'),
  sumDocuments: summing('documents'),
  late: late(STORE),
  latePlain: late('zds-plain'),
};
