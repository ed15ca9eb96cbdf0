/**
 * lmdb: strings where they are only stored, msgpack with shared structures where objects are asked
 * for. Keys arrive in order, so they are appended; the end waits for the sync to disk.
 */
import { rmSync } from 'node:fs';
import { open } from 'lmdb';
import { visiting } from '../baselines.mjs';
import { documentId } from '../generate.mjs';
import { Digest, PairTally } from '../lib/digest.mjs';
import { readLines } from '../lib/lines.mjs';

export const stores = {
  async lmdb(path, { file }) {
    const database = openMsgpack(path);
    await fill(database, file, (line) => line);
    await database.close();
  },
};

export const works = {
  ingest: {
    reset: ({ output }) => rmSync(output('store'), { recursive: true, force: true }),
    async run({ file, output }) {
      const database = openStrings(output('store'));
      await fill(database, file, (_, text) => text);
      await database.close();
    },
    async digest({ output }) {
      const digest = new Digest();
      const database = openStrings(output('store'));
      for (const { value } of database.getRange()) digest.add(JSON.parse(value));
      await database.close();
      return digest;
    },
  },

  scan: visiting(async ({ store }, visitor) => {
    const database = openMsgpack(store('lmdb'));
    for (const { value } of database.getRange()) visitor.add(value);
    await database.close();
  }),

  filter: visiting(async ({ store }, visitor) => {
    const database = openMsgpack(store('lmdb'));
    for (const { value } of database.getRange()) {
      if (value.score > 90) visitor.add({ _id: value._id, email: value.email });
    }
    await database.close();
  }, PairTally),

  get: {
    setup: ({ store, idsToGet }) => ({ database: openMsgpack(store('lmdb')), ids: idsToGet() }),
    ...visiting((_, visitor, { database, ids }) => {
      for (const id of ids) visitor.add(database.get(id));
    }),
    teardown: (_, { database }) => database.close(),
  },

  open: visiting(async ({ store, count }, visitor) => {
    const database = openMsgpack(store('lmdb'));
    visitor.add(database.get(documentId(count - 1)));
    await database.close();
  }),
};

async function fill(database, file, valueFor) {
  for (const lines of readLines(file)) {
    database.transactionSync(() => {
      for (const line of lines) {
        const document = JSON.parse(line);
        database.putSync(document._id, valueFor(document, line), { append: true });
      }
    });
  }
  await database.flushed;
}

function openStrings(path) {
  return open({ path, encoding: 'string' });
}

function openMsgpack(path) {
  return open({ path, encoding: 'msgpack', sharedStructuresKey: Symbol.for('structures') });
}
