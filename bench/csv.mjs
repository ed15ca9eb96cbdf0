/** CSV with zds-stream: the built package, its public functions, its defaults. */
import { statSync } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { csvSink, csvSource, jsonlSource } from '../dist/index.js';
import { visiting } from './baselines.mjs';
import { CSV_FIELDS } from './generate.mjs';
import { Digest, RowTally } from './lib/digest.mjs';
import { digestText } from './lib/results.mjs';

const reading = (quoted) =>
  visiting(async ({ csv }, visitor) => {
    for await (const batch of csvSource(csv(quoted)).batches({ documents: true })) {
      for (const row of batch.documents()) visitor.add(row);
    }
  }, RowTally);

const awaiting = (quoted) =>
  visiting(async ({ csv }, visitor) => {
    for await (const row of csvSource(csv(quoted))) visitor.add(row);
  }, RowTally);

const rowsOf = async (file) => {
  const digest = new Digest();
  for await (const row of csvSource(file)) digest.add(row);
  return digest;
};

export const works = {
  bytes: {
    async run({ csv }) {
      let bytes = 0;
      for await (const batch of csvSource(csv()).batches()) bytes += batch.bytes().length;
      return bytes;
    },
    digest: ({ csv }) => rowsOf(csv()),
  },
  objects: reading(false),
  objectsAwaited: awaiting(false),
  quoted: reading(true),
  quotedAwaited: awaiting(true),
  write: {
    async run({ csv, fresh }) {
      const out = fresh('rows.csv');
      await pipeline(csvSource(csv()), csvSink(out));
      return statSync(out).size;
    },
    digest: ({ output }) => rowsOf(output('rows.csv')),
  },
  fromJsonl: {
    async run({ file, fresh }) {
      const out = fresh('documents.csv');
      await pipeline(jsonlSource(file), csvSink(out, { columns: CSV_FIELDS, extra: 'drop' }));
      return statSync(out).size;
    },
    digest: ({ output }) => digestText(output('documents.csv')),
  },
};
