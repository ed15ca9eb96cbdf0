/** Whole pipelines with zds-stream: the built package, `run`, its defaults. */
import { cpSync, createReadStream, createWriteStream, existsSync, writeFileSync } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { arrowSink, httpSource, jsonlSource, run, zdsSink, zdsSource } from '../dist/index.js';
import { Digest } from './lib/digest.mjs';
import { serveFile } from './lib/file-server.mjs';
import { readLines } from './lib/lines.mjs';
import { digestArrow } from './lib/results.mjs';

const COLLECTION = 'docs';
const EIGHT_COLUMNS = {
  _id: 'utf8',
  name: 'utf8',
  email: 'utf8',
  age: 'int64',
  score: 'float64',
  active: 'bool',
  metadata: { created: 'utf8', source: 'utf8' },
};

/** A server of the rows as CSV, compressed. */
export async function serveRows({ csv }) {
  const file = csv();
  const packed = `${file}.gz`;
  if (!existsSync(packed)) {
    await pipeline(createReadStream(file), createGzip(), createWriteStream(packed));
  }
  return { packed, ...(await serveFile(packed)) };
}

/** Documents to merge: every other one replaces one that is there, with another score. */
export function mergeFile({ file }) {
  const merged = file.replace('.jsonl', '-merge.jsonl');
  if (existsSync(merged)) return merged;
  const out = [];
  let ordinal = 0;
  for (const lines of readLines(file)) {
    for (const line of lines) {
      if (line === '') continue;
      const id = ordinal++ % 2 === 0 ? '{"_id":"' : '{"_id":"n';
      out.push(`${id}${line.slice(8).replace('"score":', '"score":1')}\n`);
    }
  }
  writeFileSync(merged, out.join(''));
  return merged;
}

async function digestStore(root) {
  const digest = new Digest();
  for await (const document of zdsSource(root, COLLECTION)) digest.add(document);
  return digest;
}

export const stores = {
  'zds-merge': (path, { file }) => pipeline(jsonlSource(file), zdsSink(path, COLLECTION)),
};

export const works = {
  http: {
    setup: serveRows,
    reset: ({ fresh }) => fresh('lake'),
    async run({ output }, { url }) {
      const sink = zdsSink(output('lake'), COLLECTION);
      return (await run({ name: 'http', source: httpSource(url, { format: 'csv' }), sink }))
        .written;
    },
    digest: ({ output }) => digestStore(output('lake')),
    teardown: (_, { stop }) => stop(),
  },

  arrow: {
    async run({ file, fresh }) {
      const sink = arrowSink(fresh('docs.arrow'), { schema: EIGHT_COLUMNS });
      return (await run({ name: 'arrow', source: jsonlSource(file), sink })).written;
    },
    digest: ({ output }) => digestArrow(output('docs.arrow')),
  },

  merge: {
    setup: (context) => ({ merged: mergeFile(context) }),
    reset: ({ fresh, store }) => cpSync(store('zds-merge'), fresh('lake'), { recursive: true }),
    async run({ output }, { merged }) {
      const sink = zdsSink(output('lake'), COLLECTION);
      return (await run({ name: 'merge', source: jsonlSource(merged), sink })).written;
    },
    digest: ({ output }) => digestStore(output('lake')),
  },
};
