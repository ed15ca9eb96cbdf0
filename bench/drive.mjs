/**
 * A drive at the works of the Rust crate's own benchmarks, each in a process of its own, and the crate at
 * the same works in the same run. Keys and payloads are the same on both sides, so tallies must agree.
 */
import { spawn } from 'node:child_process';
import { existsSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { DataStore } from '../dist/index.js';

const program = fileURLToPath(
  new URL('../conformance/target/release/drive-oracle', import.meta.url),
);

/** Whether the crate's program is there. */
export const hasDriveCrate = () => existsSync(program);

const keyOf = (i) => Buffer.from(`key-${String(i).padStart(12, '0')}`);

function payloadOf(i, size) {
  const bytes = Buffer.allocUnsafe(size).fill((i % 251) + 1);
  bytes.writeUInt32LE(i, 0);
  return bytes;
}

/** The same order of reads as in conformance/drive/src/bench.rs. */
function shuffledKeys(count) {
  let state = 7;
  return Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return keyOf((state >>> 2) % count);
  });
}

/** One work: what is prepared is not timed; `run` answers the tally. */
const ours = {
  async write(path, count, size) {
    const keys = Array.from({ length: count }, (_, i) => keyOf(i));
    const payloads = Array.from({ length: count }, (_, i) => payloadOf(i, size));
    return async () => {
      const store = await DataStore.open(path);
      let tail = 0;
      for (let i = 0; i < count; i++) tail = await store.write(keys[i], payloads[i]);
      await store.abandon();
      return tail;
    };
  },

  async batchWrite(path, count, size) {
    const entries = Array.from({ length: count }, (_, i) => [keyOf(i), payloadOf(i, size)]);
    return async () => {
      const store = await DataStore.open(path);
      let tail = 0;
      for (let i = 0; i < count; i += 1000) {
        tail = await store.batchWrite(entries.slice(i, i + 1000));
      }
      await store.abandon();
      return tail;
    };
  },

  async open(path) {
    return async () => (await DataStore.open(path, { mode: 'read' })).len();
  },

  async read(path, count, _size, checked = false) {
    const store = await DataStore.open(path, { mode: 'read' });
    const keys = shuffledKeys(count);
    return async () => {
      let tally = 0;
      for (const key of keys) {
        const entry = store.read(key);
        tally += entry.payload[0];
        if (checked) tally += entry.isValidChecksum() ? 1 : 0;
      }
      return tally;
    };
  },

  readChecked: (path, count, size) => ours.read(path, count, size, true),

  async batchRead(path, count) {
    const store = await DataStore.open(path, { mode: 'read' });
    const keys = shuffledKeys(count);
    return async () => {
      let tally = 0;
      for (let i = 0; i < count; i += 1000) {
        for (const entry of store.batchRead(keys.slice(i, i + 1000))) tally += entry.payload[0];
      }
      return tally;
    };
  },

  async iterate(path) {
    const store = await DataStore.open(path, { mode: 'read' });
    return async () => {
      let tally = 0;
      for (const entry of store.iterEntries()) tally += entry.payload[0];
      return tally;
    };
  },

  /** Two readers in threads of their own while this one appends; the entries read by both. */
  async contention(path, count, size) {
    const reader = `
      const { parentPort, workerData: { module, path } } = require('node:worker_threads');
      import(module).then(async ({ DataStore }) => {
        const store = await DataStore.open(path, { mode: 'read' });
        let reads = 0;
        let state = 7;
        parentPort.on('message', () => { parentPort.postMessage(reads); process.exit(); });
        parentPort.postMessage('ready');
        for (;;) {
          await store.refresh();
          const length = store.len();
          for (let i = 0; length > 0 && i < 1000; i++) {
            state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
            const key = 'key-' + String((state >>> 2) % length).padStart(12, '0');
            if (store.read(key).payload.length !== ${size}) throw new Error('a torn entry');
            reads++;
          }
          await new Promise(setImmediate);
        }
      });`;
    const store = await DataStore.open(path);
    await store.write(keyOf(0), payloadOf(0, size));
    const module = new URL('../dist/index.js', import.meta.url).href;
    const workers = [0, 1].map(() => {
      return new Worker(reader, { eval: true, workerData: { module, path } });
    });
    const said = (worker) => new Promise((resolve) => worker.once('message', resolve));
    await Promise.all(workers.map(said));
    return async () => {
      const start = performance.now();
      for (let i = 1; i < count; i++) {
        await store.write(keyOf(i), payloadOf(i, size));
        if (i % 1000 === 0) await new Promise(setImmediate);
      }
      const seconds = (performance.now() - start) / 1000;
      const answers = workers.map(said);
      for (const worker of workers) worker.postMessage('end');
      const reads = (await Promise.all(answers)).reduce((sum, each) => sum + each, 0);
      await store.abandon();
      return { tally: count, seconds, reads };
    };
  },
};

const makes = ['write', 'batchWrite', 'contention'];
const crateWorks = ['write', 'batchWrite', 'open', 'read', 'readChecked', 'batchRead', 'iterate'];

/**
 * Seconds, tally and peak memory of one work; `who` is `ours`, `warm` (ours when the process has done the
 * same before, so that its code is compiled) or `crate`, which is compiled anyhow.
 */
export async function measure(who, work, path, count, size) {
  if (makes.includes(work)) clear(path);
  if (who === 'crate' && !crateWorks.includes(work)) return undefined;
  if (who === 'crate') return ask(work, { path, count, size });
  return inChild({ work, path, count, size, warm: who === 'warm' && work !== 'contention' });
}

function clear(path) {
  for (const end of ['', '.open']) rmSync(path + end, { force: true });
}

/** Works that were done to warm up, with their drives: code compiled for what is gone would go too. */
const done = [];

async function warmUp(work, path, count, size) {
  clear(path);
  if (!makes.includes(work)) {
    await (await ours.batchWrite(path, count, size))();
    await (await DataStore.open(path)).close();
  }
  const run = await ours[work](path, count, size);
  await run();
  done.push(run);
}

function inChild(task) {
  const self = fileURLToPath(import.meta.url);
  return answerOf(spawn(process.execPath, ['--expose-gc', self, JSON.stringify(task)]), '');
}

async function ask(work, fields) {
  const input = `${JSON.stringify({ op: `bench.${work}`, ...fields })}\n`;
  const { ok, message } = await answerOf(spawn(program), input);
  if (ok === undefined) throw new Error(message);
  return ok;
}

function answerOf(child, input) {
  return new Promise((resolve, reject) => {
    let said = '';
    let complaint = '';
    child.stdout.on('data', (text) => {
      said += text;
    });
    child.stderr.on('data', (text) => {
      complaint += text;
    });
    child.on('error', reject);
    child.on('close', () => {
      if (said === '') reject(new Error(complaint.slice(-500)));
      else resolve(JSON.parse(said));
    });
    child.stdin.end(input);
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url) && process.argv[2]?.startsWith('{')) {
  const { work, path, count, size, warm } = JSON.parse(process.argv[2]);
  const run = await ours[work](path, count, size);
  if (warm) await warmUp(work, `${path}.warm`, count, size);
  // The garbage of the preparations is not the work's.
  globalThis.gc?.();
  const start = performance.now();
  const result = await run();
  const seconds = (performance.now() - start) / 1000;
  const { tally = result, reads, seconds: own = seconds } = Object(result) === result ? result : {};
  const peakBytes = process.resourceUsage().maxRSS * 1024;
  // As the crate's, a work that writes does not wait for the disk. Opening what was left like that would sum
  // every payload, as after a crash; the crate never does.
  if (makes.includes(work)) await (await DataStore.open(path)).close();
  process.stdout.write(JSON.stringify({ seconds: own, tally, reads, peakBytes }), () =>
    process.exit(),
  );
}
