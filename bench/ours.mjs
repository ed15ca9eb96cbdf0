/**
 * zds-stream as a user would write it: the built package, its public functions, its defaults.
 */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import {
  arrowSink,
  filter,
  gt,
  jsonlSink,
  jsonlSource,
  project,
  ZdsRoot,
  zdsSink,
  zdsSource,
} from '../dist/index.js';
import { visiting } from './baselines.mjs';
import { documentId } from './generate.mjs';
import { Digest, PairTally } from './lib/digest.mjs';
import { digestArrow, digestJsonl } from './lib/results.mjs';

const COLLECTION = 'docs';
const INDEX = join('collections', COLLECTION, 'meta', 'index.bin');
const EIGHT_COLUMNS = ['_id', 'name', 'email', 'age', 'score', 'active', 'metadata'];
const TWO_FIELDS = ['_id', 'email'];
const KEPT = gt('score', 90);

const ingest = (file, root) => pipeline(jsonlSource(file), zdsSink(root, COLLECTION));

export const stores = {
  zds: (path, { file }) => ingest(file, path),
  async 'zds-rebuild'(path, { file }) {
    await ingest(file, path);
    rmSync(join(path, INDEX));
  },
};

export const works = {
  ingest: {
    reset: ({ fresh }) => fresh('lake'),
    run: ({ file, output }) => ingest(file, output('lake')),
    async digest({ output }) {
      const digest = new Digest();
      for await (const document of zdsSource(output('lake'), COLLECTION)) digest.add(document);
      return digest;
    },
  },

  scan: visiting(async ({ store }, visitor) => {
    for await (const document of zdsSource(store('zds'), COLLECTION)) visitor.add(document);
  }),

  scanBatches: visiting(async ({ store }, visitor) => {
    for await (const batch of zdsSource(store('zds'), COLLECTION).batches({ documents: true })) {
      for (const document of batch) visitor.add(document);
    }
  }),

  scanFile: visiting(async ({ file }, visitor) => {
    for await (const document of jsonlSource(file)) visitor.add(document);
  }),

  filter: visiting(async ({ store }, visitor) => {
    const kept = zdsSource(store('zds'), COLLECTION, { where: KEPT, select: TWO_FIELDS });
    for await (const document of kept) visitor.add(document);
  }, PairTally),

  filterFile: visiting(async ({ file }, visitor) => {
    const kept = jsonlSource(file).pipe(filter(KEPT)).pipe(project(TWO_FIELDS));
    for await (const document of kept) visitor.add(document);
  }, PairTally),

  get: {
    async setup({ store, idsToGet }) {
      const root = await ZdsRoot.open(store('zds'), { mode: 'read' });
      const documents = await root.collection(COLLECTION);
      // The index is loaded with the first question; opening has a work of its own.
      documents.exists('');
      return { root, documents, ids: idsToGet() };
    },
    ...visiting((_, visitor, { documents, ids }) => {
      for (const id of ids) visitor.add(documents.get(id));
    }),
    teardown: (_, { root }) => root.close(),
  },

  open: visiting(({ store, count }, visitor) => openAndGet(store('zds'), count, visitor)),

  /** A reader writes nothing, so the index stays lost from run to run. */
  openRebuilding: visiting(({ store, count }, visitor) =>
    openAndGet(store('zds-rebuild'), count, visitor),
  ),

  arrow: {
    run: ({ store, fresh }) =>
      pipeline(
        zdsSource(store('zds'), COLLECTION, { select: EIGHT_COLUMNS }),
        arrowSink(fresh('docs.arrow')),
      ),
    digest: ({ output }) => digestArrow(output('docs.arrow')),
  },

  arrowFile: {
    run: ({ file, fresh }) =>
      pipeline(jsonlSource(file), project(EIGHT_COLUMNS), arrowSink(fresh('docs.arrow'))),
    digest: ({ output }) => digestArrow(output('docs.arrow')),
  },

  jsonl: {
    run: ({ store, fresh }) =>
      pipeline(
        zdsSource(store('zds'), COLLECTION, { where: KEPT }),
        jsonlSink(fresh('kept.jsonl')),
      ),
    digest: ({ output }) => digestJsonl(output('kept.jsonl')),
  },

  jsonlFile: {
    run: ({ file, fresh }) =>
      pipeline(jsonlSource(file), filter(KEPT), jsonlSink(fresh('kept.jsonl'))),
    digest: ({ output }) => digestJsonl(output('kept.jsonl')),
  },
};

async function openAndGet(path, count, visitor) {
  const root = await ZdsRoot.open(path, { mode: 'read' });
  const documents = await root.collection(COLLECTION);
  visitor.add(documents.get(documentId(count - 1)));
  await root.close();
}
