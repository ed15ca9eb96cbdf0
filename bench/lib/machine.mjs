/** The machine and the versions that figures belong to. */
import { readFileSync } from 'node:fs';
import { availableParallelism, cpus, totalmem } from 'node:os';

const PEERS = [
  'better-sqlite3',
  'lmdb',
  'classic-level',
  '@duckdb/node-api',
  'nodejs-polars',
  'stream-json',
  'split2',
  'apache-arrow',
  'udsv',
  'papaparse',
  'csv-parse',
  'csv-stringify',
];

/** Processor, memory, Node and the peers that are installed, as data and as text. */
export function describeMachine() {
  const cpu = cpus()[0]?.model.trim() ?? 'unknown processor';
  const cores = availableParallelism();
  const memoryGiB = Math.round(totalmem() / 2 ** 30);
  const peers = {};
  for (const name of PEERS) {
    const version = installedVersion(name);
    if (version) peers[name] = version;
  }
  const list = Object.entries(peers).map(([name, version]) => `${name} ${version}`);
  return {
    cpu,
    cores,
    memoryGiB,
    node: process.version,
    platform: `${process.platform} ${process.arch}`,
    peers,
    text:
      `${cpu}, ${cores} cores, ${memoryGiB} GiB, ${process.platform} ${process.arch}, ` +
      `Node ${process.version}${list.length ? `\n${list.join(', ')}` : ''}`,
  };
}

function installedVersion(name) {
  try {
    const manifest = new URL(`../peers/node_modules/${name}/package.json`, import.meta.url);
    return JSON.parse(readFileSync(manifest, 'utf8')).version;
  } catch {
    return undefined;
  }
}
