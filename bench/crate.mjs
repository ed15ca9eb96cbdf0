/**
 * The published crate zippy_data against zds-stream at the same works. The crate's side runs in the
 * program of conformance/ and times itself; its store holds the same documents.
 */
import { spawn } from 'node:child_process';
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { FastStore, zdsSource } from '../dist/index.js';
import { documentId } from './generate.mjs';
import { Digest, Tally } from './lib/digest.mjs';
import { readLines } from './lib/lines.mjs';
import { stores as ourStores, works as ourWorks } from './ours.mjs';

const program = fileURLToPath(
  new URL('../conformance/target/release/zippy-oracle', import.meta.url),
);
const COLLECTION = 'docs';
const INDEX = join('collections', COLLECTION, 'meta', 'index.bin');
/** Flushing often is slow in the crate: fewer documents do. */
export const FLUSHED = 100_000;
const EVERY = 1000;

/** Whether the crate's program is there. */
export const hasCrate = () => existsSync(program);

export const stores = {
  ...ourStores,
  crate: (root, { file }) => ask('put', { root, file }),
  async 'crate-rebuild'(root, { file }) {
    await ask('put', { root, file });
    rmSync(join(root, INDEX));
  },
};

export const works = {
  put: {
    reset: ({ fresh }) => fresh('crate'),
    run: ({ file, output }) => ask('put', { root: output('crate'), file }),
    digest: ({ output }) => digestStore(output('crate')),
  },

  putFlushing: {
    reset: ({ fresh }) => fresh('crate'),
    run: ({ file, output }) =>
      ask('put', { root: output('crate'), file, every: EVERY, limit: FLUSHED }),
    digest: ({ output }) => digestStore(output('crate')),
  },

  scan: tallied({ run: ({ store }) => ask('scan', { root: store('crate') }) }),
  get: tallied({
    run: ({ store, idsToGet }) => ask('get', { root: store('crate'), ids: idsToGet() }),
  }),
  open: tallied({ run: ({ store, count }) => openOne(store('crate'), count) }),
  openRebuilding: tallied({ run: ({ store, count }) => openOne(store('crate-rebuild'), count) }),

  ourIngest: {
    ...ourWorks.ingest,
    digest: ({ output }) => digestStore(output('lake')),
  },
  ourScan: tallied(ourWorks.scan),
  ourGet: tallied(ourWorks.get),
  ourOpen: tallied(ourWorks.open),
  ourOpenRebuilding: tallied(ourWorks.openRebuilding),

  /** Ours, document by document as the crate's caller does it. */
  ourPut: {
    reset: ({ fresh }) => fresh('lake'),
    run: ({ file, output }) => putAll(output('lake'), file, Number.POSITIVE_INFINITY),
    digest: ({ output }) => digestStore(output('lake')),
  },

  ourPutFlushing: {
    reset: ({ fresh }) => fresh('lake'),
    run: ({ file, output }) => putAll(output('lake'), file, EVERY, FLUSHED),
    digest: ({ output }) => digestStore(output('lake')),
  },

  ourScanAll: tallied({
    async run({ store }) {
      const documents = await FastStore.open(store('zds'), COLLECTION, { mode: 'read' });
      const tally = new Tally();
      for (const document of await documents.scanAll()) tally.add(document);
      await documents.close();
      return tally;
    },
  }),
};

/** A work whose light tally is its digest too: the crate tells no other. */
function tallied(work) {
  let last;
  const run = async (context, state) => {
    last = await work.run(context, state);
    return last;
  };
  return { ...work, run, digest: () => last.result ?? last };
}

function openOne(root, count) {
  return ask('open', { root, id: documentId(count - 1) });
}

async function putAll(root, file, every, limit = Number.POSITIVE_INFINITY) {
  const store = await FastStore.open(root, COLLECTION);
  let count = 0;
  for (const lines of readLines(file)) {
    for (const line of lines) {
      if (count === limit) break;
      const document = JSON.parse(line);
      store.put(document._id, document);
      if (++count % every === 0) await store.flush();
    }
  }
  await store.close();
  return count;
}

/** Key order aside, which the crate does not keep. */
async function digestStore(root) {
  const digest = new Digest();
  for await (const document of zdsSource(root, COLLECTION)) digest.add(sortKeys(document));
  return digest;
}

function sortKeys(value) {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return value;
  const entries = Object.entries(value).map(([key, inner]) => [key, sortKeys(inner)]);
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** One work in a process of its own: its time, its tally and its memory. */
function ask(work, fields) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, { stdio: ['pipe', 'pipe', 'inherit'] });
    let said = '';
    child.stdout.on('data', (text) => {
      said += text;
    });
    child.on('error', reject);
    child.on('close', () => {
      const { ok, message } = JSON.parse(said || '{}');
      if (ok === undefined) reject(new Error(message ?? 'the program ended early'));
      else resolve({ seconds: ok.seconds, maxRssBytes: ok.peakBytes, result: ok.tally });
    });
    child.stdin.end(`${JSON.stringify({ op: `bench.${work}`, ...fields })}\n`);
  });
}
