/** classic-level: strings in batches of a mebibyte; the last batch syncs. */
import { rmSync } from 'node:fs';
import { ClassicLevel } from 'classic-level';
import { visiting } from '../baselines.mjs';
import { documentId } from '../generate.mjs';
import { Digest } from '../lib/digest.mjs';
import { readLines } from '../lib/lines.mjs';

const OPTIONS = { valueEncoding: 'utf8', writeBufferSize: 64 << 20 };

export const stores = { level: (path, { file }) => ingest(path, file) };

export const works = {
  ingest: {
    reset: ({ output }) => rmSync(output('store'), { recursive: true, force: true }),
    run: ({ file, output }) => ingest(output('store'), file),
    async digest({ output }) {
      const digest = new Digest();
      const database = new ClassicLevel(output('store'), OPTIONS);
      for await (const text of database.values()) digest.add(JSON.parse(text));
      await database.close();
      return digest;
    },
  },

  get: {
    async setup({ store, idsToGet }) {
      const database = new ClassicLevel(store('level'), OPTIONS);
      await database.open();
      return { database, ids: idsToGet() };
    },
    ...visiting((_, visitor, { database, ids }) => {
      for (const id of ids) visitor.add(JSON.parse(database.getSync(id)));
    }),
    teardown: (_, { database }) => database.close(),
  },

  open: visiting(async ({ store, count }, visitor) => {
    const database = new ClassicLevel(store('level'), OPTIONS);
    await database.open();
    visitor.add(JSON.parse(database.getSync(documentId(count - 1))));
    await database.close();
  }),
};

async function ingest(path, file) {
  const database = new ClassicLevel(path, OPTIONS);
  await database.open();
  let writing;
  let pending;
  for (const lines of readLines(file)) {
    const operations = lines.map((value) => ({ type: 'put', key: JSON.parse(value)._id, value }));
    await writing;
    if (pending) writing = database.batch(pending);
    pending = operations;
  }
  await writing;
  await database.batch(pending, { sync: true });
  await database.close();
}
