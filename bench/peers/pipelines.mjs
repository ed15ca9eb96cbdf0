/**
 * The same pipelines by hand: fetch, zlib, csv-parse, JSON.parse and better-sqlite3; and with DuckDB,
 * which reads the compressed file from the disk (its HTTP reader is an extension to download).
 */
import { copyFileSync, rmSync } from 'node:fs';
import { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { DuckDBInstance } from '@duckdb/node-api';
import Database from 'better-sqlite3';
import { parse } from 'csv-parse';
import { Digest } from '../lib/digest.mjs';
import { readLines } from '../lib/lines.mjs';
import { mergeFile, serveRows } from '../pipelines.mjs';

const UPSERT = 'INSERT INTO docs VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET doc = excluded.doc';

export const stores = {
  'sqlite-merge'(path, { file }) {
    const database = openDatabase(path);
    upsert(database, file);
    database.close();
  },
  'duckdb-merge': (path, { file }) =>
    execute(path, [
      'CREATE TABLE docs (_id VARCHAR PRIMARY KEY, doc VARCHAR)',
      `INSERT INTO docs SELECT * FROM ${pairs(file)}`,
      'CHECKPOINT',
    ]),
};

export const works = {
  httpByHand: {
    setup: serveRows,
    reset: ({ output }) => remove(output('store.db')),
    async run({ output }, { url }) {
      const database = openDatabase(output('store.db'));
      const insert = database.prepare(UPSERT);
      const { body } = await fetch(url);
      const rows = Readable.fromWeb(body)
        .pipe(createGunzip())
        .pipe(parse({ columns: true }));
      database.exec('BEGIN');
      let count = 0;
      for await (const row of rows) {
        // With the option `cast` of csv-parse it takes twice as long.
        row.age = Number(row.age);
        row.score = Number(row.score);
        row.active = row.active === 'true';
        insert.run(row._id, JSON.stringify(row));
        count++;
      }
      database.exec('COMMIT');
      close(database);
      return count;
    },
    digest: ({ output }) => digestDatabase(output('store.db')),
    teardown: (_, { stop }) => stop(),
  },

  duckdbFile: {
    setup: serveRows,
    reset: ({ output }) => remove(output('docs.duckdb')),
    run: ({ output }, { packed }) =>
      execute(output('docs.duckdb'), [
        `CREATE TABLE docs AS SELECT * FROM read_csv('${packed}', types = {created: 'VARCHAR', age: 'INTEGER'})`,
        'CHECKPOINT',
      ]),
    digest: ({ output }) => digestTable(output('docs.duckdb'), (row) => row),
    teardown: (_, { stop }) => stop(),
  },

  mergeByHand: {
    setup: (context) => ({ merged: mergeFile(context) }),
    reset({ store, output }) {
      remove(output('store.db'));
      copyFileSync(store('sqlite-merge'), output('store.db'));
    },
    run({ output }, { merged }) {
      const database = openDatabase(output('store.db'));
      const count = upsert(database, merged);
      close(database);
      return count;
    },
    digest: ({ output }) => digestDatabase(output('store.db')),
  },

  mergeDuckdb: {
    setup: (context) => ({ merged: mergeFile(context) }),
    reset({ store, output }) {
      remove(output('docs.duckdb'));
      copyFileSync(store('duckdb-merge'), output('docs.duckdb'));
    },
    run: ({ output }, { merged }) =>
      execute(output('docs.duckdb'), [
        `INSERT OR REPLACE INTO docs SELECT * FROM ${pairs(merged)}`,
        'CHECKPOINT',
      ]),
    digest: ({ output }) => digestTable(output('docs.duckdb'), ({ doc }) => JSON.parse(doc)),
  },
};

/** Ids and texts of the documents of a file. */
function pairs(file) {
  return `(SELECT json ->> '_id', json FROM read_ndjson_objects('${file}'))`;
}

function openDatabase(path) {
  const database = new Database(path);
  database.pragma('journal_mode = WAL');
  database.pragma('synchronous = NORMAL');
  database.pragma('cache_size = -65536');
  database.exec('CREATE TABLE IF NOT EXISTS docs (id TEXT PRIMARY KEY, doc TEXT) WITHOUT ROWID');
  return database;
}

function upsert(database, file) {
  const insert = database.prepare(UPSERT);
  let count = 0;
  database.transaction(() => {
    for (const lines of readLines(file)) {
      for (const line of lines) {
        if (line === '') continue;
        insert.run(JSON.parse(line)._id, line);
        count++;
      }
    }
  })();
  return count;
}

function close(database) {
  database.pragma('wal_checkpoint(TRUNCATE)');
  database.close();
}

function digestDatabase(path) {
  const digest = new Digest();
  const database = new Database(path, { readonly: true });
  for (const text of database.prepare('SELECT doc FROM docs').pluck().iterate()) {
    digest.add(JSON.parse(text));
  }
  database.close();
  return digest;
}

async function digestTable(path, read) {
  const digest = new Digest();
  await connected(path, async (connection) => {
    const result = await connection.stream('SELECT * FROM docs');
    for await (const rows of result.yieldRowObjectJs()) {
      for (const row of rows) digest.add(read(row));
    }
  });
  return digest;
}

function execute(path, statements) {
  return connected(path, async (connection) => {
    for (const statement of statements) await connection.run(statement);
  });
}

async function connected(path, use) {
  const instance = await DuckDBInstance.create(path);
  const connection = await instance.connect();
  try {
    await use(connection);
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

function remove(path) {
  for (const suffix of ['', '-wal', '-shm', '.wal']) rmSync(path + suffix, { force: true });
}
