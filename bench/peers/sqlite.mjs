/**
 * better-sqlite3 at its fastest that still is durable: WAL, synchronous=NORMAL, many rows per
 * statement, one transaction, and a checkpoint (which syncs) at the end.
 */
import { rmSync } from 'node:fs';
import Database from 'better-sqlite3';
import { visiting } from '../baselines.mjs';
import { documentId } from '../generate.mjs';
import { Digest, PairTally } from '../lib/digest.mjs';
import { readLines } from '../lib/lines.mjs';

const ROWS = 200;

export const stores = {
  sqlite: (path, { file }) => ingest(path, file, '?'),
  'sqlite-jsonb': (path, { file }) => ingest(path, file, 'jsonb(?)'),
};

export const works = {
  ingest: {
    reset: ({ output }) => remove(output('store.db')),
    run: ({ file, output }) => ingest(output('store.db'), file, '?'),
    digest({ output }) {
      const digest = new Digest();
      const database = new Database(output('store.db'), { readonly: true });
      for (const text of database.prepare('SELECT doc FROM docs').pluck().iterate()) {
        digest.add(JSON.parse(text));
      }
      database.close();
      return digest;
    },
  },

  scan: visiting(({ store }, visitor) => {
    const database = openToRead(store('sqlite'));
    for (const text of database.prepare('SELECT doc FROM docs').pluck().iterate()) {
      visitor.add(JSON.parse(text));
    }
    database.close();
  }),

  filter: visiting(({ store }, visitor) => {
    const database = openToRead(store('sqlite-jsonb'));
    const kept = database.prepare(
      "SELECT id AS _id, doc ->> 'email' AS email FROM docs WHERE doc ->> 'score' > 90",
    );
    for (const row of kept.all()) visitor.add(row);
    database.close();
  }, PairTally),

  get: {
    setup: ({ store, idsToGet }) => ({ database: openToRead(store('sqlite')), ids: idsToGet() }),
    ...visiting((_, visitor, { database, ids }) => {
      const get = database.prepare('SELECT doc FROM docs WHERE id = ?').pluck();
      database.transaction(() => {
        for (const id of ids) visitor.add(JSON.parse(get.get(id)));
      })();
    }),
    teardown: (_, { database }) => database.close(),
  },

  open: visiting(({ store, count }, visitor) => {
    const database = openToRead(store('sqlite'));
    const get = database.prepare('SELECT doc FROM docs WHERE id = ?').pluck();
    visitor.add(JSON.parse(get.get(documentId(count - 1))));
    database.close();
  }),
};

function ingest(path, file, value) {
  const database = new Database(path);
  database.pragma('journal_mode = WAL');
  database.pragma('synchronous = NORMAL');
  database.pragma('cache_size = -65536');
  database.exec('CREATE TABLE docs (id TEXT PRIMARY KEY, doc BLOB) WITHOUT ROWID');
  const row = `(?,${value})`;
  const many = database.prepare(`INSERT INTO docs VALUES ${Array(ROWS).fill(row).join(',')}`);
  const one = database.prepare(`INSERT INTO docs VALUES ${row}`);
  let values = [];
  database.transaction(() => {
    for (const lines of readLines(file)) {
      for (const line of lines) {
        values.push(JSON.parse(line)._id, line);
        if (values.length === ROWS * 2) {
          many.run(values);
          values = [];
        }
      }
    }
    for (let i = 0; i < values.length; i += 2) one.run(values[i], values[i + 1]);
  })();
  database.pragma('wal_checkpoint(TRUNCATE)');
  database.close();
}

function openToRead(path) {
  const database = new Database(path, { readonly: true });
  database.pragma('mmap_size = 2147483648');
  return database;
}

function remove(path) {
  for (const suffix of ['', '-wal', '-shm']) rmSync(path + suffix, { force: true });
}
