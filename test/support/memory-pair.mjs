/**
 * A run from one kind of source into one kind of sink, for tests of memory: over as much as the run may
 * hold, which loads and compiles what the pair needs, then over ten times that. Prints the most memory
 * ever taken in the first (`before`) and by how much it grew in the second (`grown`), and what was counted.
 *
 * Garbage is collected as it goes, so that what is measured is what is held and not how late V8 looks
 * for buffers that nobody holds (when they take 64 MiB).
 *
 * Argument, JSON: `source`, `sink`, `folder` (inputs, as `memory-inputs.ts` makes them), `out` (where
 * outputs go), `base` (a server of `memory-inputs.ts`), `maxMemory`, `holds` (keeps every batch).
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as zds from '../../dist/index.js';
import { DOCUMENT_BYTES, makeDocument } from './memory-document.mjs';

const { source, sink, folder, out, base, maxMemory, holds } = JSON.parse(process.argv[2]);
const { counts, text } = JSON.parse(readFileSync(join(folder, 'about.json'), 'utf8'));
const make = (n) => makeDocument(text, n);

function* documentsOf(size) {
  for (let n = 0; n < counts[size]; n++) yield make(n);
}

async function* entriesOf(path) {
  const drive = await zds.DataStore.open(path, { mode: 'read' });
  for (const { payload } of drive.iterEntries()) yield JSON.parse(Buffer.from(payload).toString());
  // Left open: what is mapped then still counts as such when memory is looked at.
}

const sources = {
  jsonl: (path) => zds.jsonlSource(`${path}.jsonl`),
  'jsonl.gz': (path) => zds.jsonlSource(`${path}.jsonl.gz`),
  csv: (path) => zds.csvSource(`${path}.csv`),
  json: (path) => zds.jsonSource(`${path}.json`),
  http: (_, size) => zds.httpSource(`${base}/${size}.jsonl`),
  tail: (path) => zds.tailSource(`${path}.jsonl`, { idleMs: 1 }),
  generate: (_, size) => zds.generateSource({ documents: counts[size], make }),
  iterable: (_, size) => zds.fromIterable(documentsOf(size)),
  zds: (path) => zds.zdsSource(path, 'c'),
  drive: (path) => zds.fromIterable(entriesOf(`${path}.drive`)),
  arrow: (path) => zds.arrowSource(`${path}.arrow`),
  parquet: (path) => zds.parquetSource(`${path}.parquet`),
  stdin: (path, size) => zds.jsonlSource(size === 'many' ? '-' : `${path}.jsonl`),
};

/** A sink of one's own, in a drive. */
function driveSink(path) {
  let drive;
  return {
    name: 'drive',
    async open() {
      drive = await zds.DataStore.open(path);
    },
    async write(batch) {
      const bytes = batch.bytes();
      const entries = batch.documents().map(({ _id }, i) => {
        const { start, end } = batch.span(i);
        return [_id, bytes.subarray(start, end)];
      });
      await drive.batchWrite(entries);
    },
    finish: () => drive.close(),
    abort: () => drive?.close(),
  };
}

/** A sink of one's own that looks at every object. */
function customSink() {
  let documents = 0;
  return {
    name: 'custom',
    async open() {},
    async write(batch) {
      for (const { n } of batch) documents += n >= 0 ? 1 : 0;
    },
    finish: async () => ({ documents }),
    async abort() {},
  };
}

const sinks = {
  zds: (path) => zds.zdsSink(path, 'c'),
  jsonl: (path) => zds.jsonlSink(`${path}.jsonl`),
  'jsonl.gz': (path) => zds.jsonlSink(`${path}.jsonl.gz`),
  csv: (path) => zds.csvSink(`${path}.csv`),
  arrow: (path) => zds.arrowSink(`${path}.arrow`),
  http: () => zds.httpSink(`${base}/put`),
  drive: (path) => driveSink(`${path}.drive`),
  parquet: (path) => zds.parquetSink(`${path}.parquet`),
  tee: (path) => zds.tee(zds.jsonlSink(`${path}.jsonl`), zds.csvSink(`${path}.csv`)),
  route: (path) =>
    zds.route({
      by: 'group',
      to: { g0: zds.jsonlSink(`${path}.jsonl`), g1: zds.csvSink(`${path}.csv`) },
      otherwise: zds.arrowSink(`${path}.arrow`),
    }),
  custom: customSink,
};

const held = [];
const hold = {
  name: 'hold',
  apply(batch) {
    held.push(batch.bytes().slice());
    return [batch];
  },
};

async function copy(size) {
  const handle = zds.run({
    name: 'pair',
    source: sources[source](join(folder, size), size),
    transforms: holds ? [hold] : [],
    sink: sinks[sink](join(out, size)),
    maxMemory,
    progressMs: 0,
  });
  const often = maxMemory / 2 / DOCUMENT_BYTES;
  let collected = 0;
  handle.on('progress', ({ read }) => {
    if (read - collected < often) return;
    collected = read;
    globalThis.gc();
  });
  const { read, written } = await handle;
  return { read, written };
}

/**
 * Bytes: the most ever resident, without pages of files that are mapped, which the system can take back
 * at any time. What `getrusage` tells will not do: it begins with what the parent process had.
 */
function mostTaken() {
  const status = readFileSync('/proc/self/status', 'utf8');
  const [most, files] = ['VmHWM', 'RssFile'].map((name) => {
    return Number(new RegExp(`${name}:\\s+(\\d+) kB`).exec(status)[1]);
  });
  return (most - files) * 1024;
}

await copy('few');
const before = mostTaken();
const copied = await copy('many');
console.log(JSON.stringify({ ...copied, before, grown: mostTaken() - before }));
