/**
 * DuckDB through its Node client, columns declared so that it need not infer them; two fields come
 * out as columns (its fastest way into JavaScript), whole documents as row objects.
 */
import { rmSync } from 'node:fs';
import { DuckDBInstance } from '@duckdb/node-api';
import { visiting } from '../baselines.mjs';
import { Digest, PairTally } from '../lib/digest.mjs';
import { digestJsonl } from '../lib/results.mjs';

const COLUMNS = `{_id: 'VARCHAR', name: 'VARCHAR', email: 'VARCHAR', age: 'INTEGER',
  score: 'DOUBLE', active: 'BOOLEAN', tags: 'VARCHAR[]',
  metadata: 'STRUCT(created VARCHAR, source VARCHAR)'}`;
const TABLE = `_id VARCHAR PRIMARY KEY, name VARCHAR, email VARCHAR, age INTEGER, score DOUBLE,
  active BOOLEAN, tags VARCHAR[], metadata STRUCT(created VARCHAR, source VARCHAR)`;

const reading = (file) =>
  `read_json('${file}', format = 'newline_delimited', columns = ${COLUMNS})`;
const creating = (file) => [`CREATE TABLE docs AS SELECT * FROM ${reading(file)}`, 'CHECKPOINT'];

export const stores = { duckdb: (path, { file }) => execute(path, creating(file)) };

export const works = {
  ingest: ingestion((file) => creating(file)),
  ingestOneThread: ingestion((file) => ['SET threads = 1', ...creating(file)]),
  ingestKeyed: ingestion((file) => [
    `CREATE TABLE docs (${TABLE})`,
    `INSERT INTO docs SELECT * FROM ${reading(file)}`,
    'CHECKPOINT',
  ]),

  scan: visiting(({ store }, visitor) =>
    connected(store('duckdb'), (connection) => visitRows(connection, visitor)),
  ),

  filterTable: visiting(
    ({ store }, visitor) =>
      connected(store('duckdb'), (connection) => visitPairs(connection, 'docs', visitor)),
    PairTally,
  ),
  filterFile: visiting(
    ({ file }, visitor) =>
      connected(':memory:', (connection) => visitPairs(connection, reading(file), visitor)),
    PairTally,
  ),
  filterFileOneThread: visiting(
    ({ file }, visitor) =>
      connected(':memory:', async (connection) => {
        await connection.run('SET threads = 1');
        await visitPairs(connection, reading(file), visitor);
      }),
    PairTally,
  ),

  /** Ids may repeat, so each carries its ordinal into the join. */
  get: {
    setup: ({ idsToGet }) => ({ ids: idsToGet() }),
    ...visiting(({ store }, visitor, { ids }) =>
      connected(store('duckdb'), async (connection) => {
        await connection.run('CREATE TEMP TABLE wanted (id VARCHAR)');
        const appender = await connection.createAppender('wanted', 'main', 'temp');
        for (const id of ids) {
          appender.appendVarchar(id);
          appender.endRow();
        }
        appender.closeSync();
        const sql = 'SELECT docs.* FROM wanted JOIN docs ON docs._id = wanted.id';
        const reader = await connection.runAndReadAll(sql);
        for (const row of reader.getRowObjectsJS()) visitor.add(row);
      }),
    ),
  },

  jsonl: {
    run: ({ file, output }) =>
      execute(':memory:', [
        `COPY (SELECT * FROM ${reading(file)} WHERE score > 90) TO '${output('kept.jsonl')}' (FORMAT json)`,
      ]),
    digest: ({ output }) => digestJsonl(output('kept.jsonl')),
  },

  parquet: {
    run: ({ file, output }) =>
      execute(':memory:', [
        `COPY (SELECT * EXCLUDE (tags) FROM ${reading(file)}) TO '${output('docs.parquet')}' (FORMAT parquet)`,
      ]),
  },
};

function ingestion(statements) {
  return {
    reset({ output }) {
      for (const suffix of ['', '.wal']) rmSync(output('docs.duckdb') + suffix, { force: true });
    },
    run: ({ file, output }) => execute(output('docs.duckdb'), statements(file)),
    async digest({ output }) {
      const digest = new Digest();
      await connected(output('docs.duckdb'), (connection) => visitRows(connection, digest));
      return digest;
    },
  };
}

async function visitRows(connection, visitor) {
  const result = await connection.stream('SELECT * FROM docs');
  for await (const rows of result.yieldRowObjectJs()) for (const row of rows) visitor.add(row);
}

async function visitPairs(connection, from, visitor) {
  const reader = await connection.runAndReadAll(`SELECT _id, email FROM ${from} WHERE score > 90`);
  const [ids, emails] = reader.getColumns();
  for (let i = 0; i < ids.length; i++) visitor.add({ _id: ids[i], email: emails[i] });
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
