/** What a store does beside taking in and giving out: frequent commits, single changes, compaction. */
import { pipeline } from 'node:stream/promises';
import { FastStore, jsonlSource, zdsSink } from '../dist/index.js';
import { documentId } from './generate.mjs';
import { readText } from './lib/lines.mjs';
import { stores as ourStores, works as ourWorks } from './ours.mjs';

const COLLECTION = 'docs';
const EVERY = 1000;

const open = (root) => FastStore.open(root, COLLECTION);
const ingest = (file, root) => pipeline(jsonlSource(file), zdsSink(root, COLLECTION));

export const stores = {
  ...ourStores,
  /** For works that change it. */
  changing: (path, { file }) => ingest(file, path),
};

export const works = {
  /** Without a digest: compaction leaves fewer documents. */
  ingest: { reset: ourWorks.ingest.reset, run: ourWorks.ingest.run },

  compact: {
    /** As many lines as there are documents; the last third are newer versions of the first. */
    async reset({ file, fresh, count }) {
      const store = await open(fresh('lake'));
      const third = Math.floor(count / 3);
      for (let left of [count - third, third]) {
        for (const text of readText(file)) {
          const lines = text.split('\n').slice(0, left);
          left -= lines.length;
          await store.writeJsonl(Buffer.from(`${lines.join('\n')}\n`));
          if (left === 0) break;
        }
      }
      await store.close();
    },
    async run({ output }) {
      const store = await open(output('lake'));
      const { documents } = await store.compact();
      await store.close();
      return documents;
    },
  },

  ingestFlushing: {
    reset: ({ fresh }) => fresh('lake'),
    async run({ file, output }) {
      const store = await open(output('lake'));
      let lines = [];
      const take = async () => {
        await store.writeJsonl(Buffer.from(`${lines.splice(0, EVERY).join('\n')}\n`));
        await store.flush();
      };
      for (const text of readText(file)) {
        lines = lines.concat(text.split('\n'));
        while (lines.length >= EVERY) await take();
      }
      if (lines.length > 0) await take();
      await store.close();
    },
    digest: ourWorks.ingest.digest,
  },

  putOne: changing((store, id) => store.put(id, { changed: true })),
  deleteOne: changing((store, id) => store.delete(id)),
};

/** Opens, changes the document in the middle, commits and closes. */
function changing(change) {
  return {
    /** There as before, and nothing to mend. */
    async reset({ store, count }) {
      const documents = await open(store('changing'));
      documents.put(documentId(count >> 1), { changed: false });
      await documents.close();
    },
    async run({ store, count }) {
      const documents = await open(store('changing'));
      change(documents, documentId(count >> 1));
      await documents.flush();
      await documents.close();
    },
  };
}
