/**
 * Readers of CSV: udsv, PapaParse and csv-parse to typed objects, DuckDB into a table. And writers:
 * csv-stringify and PapaParse, of objects that JSON.parse makes, DuckDB of what it reads.
 */
import {
  closeSync,
  createReadStream,
  createWriteStream,
  openSync,
  statSync,
  writeSync,
} from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { DuckDBInstance } from '@duckdb/node-api';
import { parse } from 'csv-parse';
import { stringify } from 'csv-stringify';
import Papa from 'papaparse';
import { inferSchema, initParser } from 'udsv';
import { visiting } from '../baselines.mjs';
import { CSV_FIELDS } from '../generate.mjs';
import { Digest, RowTally } from '../lib/digest.mjs';
import { readLines } from '../lib/lines.mjs';
import { digestText } from '../lib/results.mjs';

const CHUNK = { highWaterMark: 1 << 20 };
const TYPED = { age: true, score: true, active: true };

const reading = (read) => ({
  objects: visiting(({ csv }, visitor) => read(csv(false), visitor), RowTally),
  quoted: visiting(({ csv }, visitor) => read(csv(true), visitor), RowTally),
});

async function readUdsv(file, visitor) {
  let parser;
  const take = (row) => visitor.add(row);
  for await (const text of createReadStream(file, { ...CHUNK, encoding: 'utf8' })) {
    if (!parser) {
      const schema = inferSchema(text);
      // Dates stay texts, as with the others.
      for (const column of schema.cols) if (column.name === 'created') column.type = 's';
      parser = initParser(schema);
    }
    parser.chunk(text, parser.typedObjs, take);
  }
  parser.end();
}

function readPapa(file, visitor) {
  return new Promise((resolve, reject) => {
    Papa.parse(createReadStream(file, CHUNK), {
      header: true,
      dynamicTyping: TYPED,
      skipEmptyLines: true,
      chunk: ({ data }) => {
        for (const row of data) visitor.add(row);
      },
      complete: resolve,
      error: reject,
    });
  });
}

/**
 * The three columns are converted here: with the option `cast` csv-parse builds an object about
 * every field for the function, which takes several times as long as everything else it does.
 */
async function readCsvParse(file, visitor) {
  for await (const row of createReadStream(file).pipe(parse({ columns: true }))) {
    row.age = Number(row.age);
    row.score = Number(row.score);
    row.active = row.active === 'true';
    visitor.add(row);
  }
}

const writing = (write) => ({
  async run({ file, fresh }) {
    const out = fresh('documents.csv');
    await write(file, out);
    return statSync(out).size;
  },
  digest: ({ output }) => digestText(output('documents.csv')),
});

/** Its synchronous form takes four times as long. Booleans are 1 and nothing unless told otherwise. */
function writeStringify(file, out) {
  const options = { header: true, columns: CSV_FIELDS, cast: { boolean: String } };
  return pipeline(Readable.from(documentsOf(file)), stringify(options), createWriteStream(out));
}

/** Writes objects as `[object Object]` unless they are texts already. */
function writePapa(file, out) {
  const output = openSync(out, 'w');
  let header = true;
  for (const lines of readLines(file)) {
    const documents = lines.map((line) => JSON.parse(line));
    for (const document of documents) document.metadata = JSON.stringify(document.metadata);
    const options = { header, columns: CSV_FIELDS, newline: '\n' };
    writeSync(output, `${Papa.unparse(documents, options)}\n`);
    header = false;
  }
  closeSync(output);
}

function* documentsOf(file) {
  for (const lines of readLines(file)) for (const line of lines) yield JSON.parse(line);
}

const udsv = reading(readUdsv);
const papa = reading(readPapa);
const csvParse = reading(readCsvParse);
const TYPES = `{created: 'VARCHAR', age: 'INTEGER'}`;

export const works = {
  udsv: udsv.objects,
  udsvQuoted: udsv.quoted,
  papa: papa.objects,
  papaQuoted: papa.quoted,
  csvParse: csvParse.objects,
  csvParseQuoted: csvParse.quoted,
  csvStringify: writing(writeStringify),
  papaUnparse: writing(writePapa),
  duckdb: {
    run: ({ csv }) => inMemory((connection) => createTable(connection, csv())),
    digest: ({ csv }) =>
      inMemory(async (connection) => {
        await createTable(connection, csv());
        const digest = new Digest();
        const result = await connection.stream('SELECT * FROM docs');
        for await (const rows of result.yieldRowObjectJs()) for (const row of rows) digest.add(row);
        return digest;
      }),
  },
  duckdbWrite: {
    async run({ csv, fresh }) {
      const out = fresh('rows.csv');
      await inMemory((connection) =>
        connection.run(`COPY (SELECT * FROM read_csv('${csv()}', types = ${TYPES})) TO '${out}'`),
      );
      return statSync(out).size;
    },
  },
};

function createTable(connection, file) {
  return connection
    .run(`CREATE TABLE docs AS SELECT * FROM read_csv('${file}', types = ${TYPES})`)
    .then(() => undefined);
}

async function inMemory(use) {
  const instance = await DuckDBInstance.create(':memory:');
  const connection = await instance.connect();
  try {
    return await use(connection);
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}
