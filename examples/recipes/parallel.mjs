/**
 * Documents worked on by several threads. Readers take no lock, so each worker has its own; each takes
 * every n-th id. For work that is only a comparison, `scan({ where })` on one thread is faster: threads
 * pay where the work on a document costs more than reading it.
 *
 *     node parallel.mjs STORE [WORKERS]
 */
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { FastStore } from 'zds-stream';

/** Whatever is to be done to a document; undefined leaves it out. */
function work({ _id, text, label }) {
  const words = new Set(text.toLowerCase().match(/\p{L}+/gu) ?? []);
  return label >= 8 ? { _id, label, words: words.size } : undefined;
}

async function runWorker({ store, worker, workers }) {
  const reader = await FastStore.open(store, 'train', { mode: 'read' });
  const found = [];
  let ordinal = 0;
  for await (const id of reader.docIds()) {
    if (ordinal++ % workers !== worker) continue;
    const result = work(reader.get(id));
    if (result !== undefined) found.push(result);
  }
  await reader.close();
  parentPort.postMessage(found);
}

function startWorker(data) {
  return new Promise((resolve, reject) => {
    const thread = new Worker(new URL(import.meta.url), { workerData: data });
    thread.once('message', resolve);
    thread.once('error', reject);
  });
}

if (isMainThread) {
  const [store, count = '2'] = process.argv.slice(2);
  const workers = Number(count);
  const starting = Array.from({ length: workers }, (_, worker) => {
    return startWorker({ store, worker, workers });
  });
  const found = (await Promise.all(starting)).flat();
  console.log(`${found.length} documents found by ${workers} workers`);
} else await runWorker(workerData);
