/**
 * The benchmarks' command. Every work of every contestant runs in its own process, one after the
 * other; results must agree before they are compared.
 *
 *   node bench/run.mjs [--documents N] [--peers] [--crate] [--suite NAME]... [--work NAME]... [--runs N]
 *                      [--json FILE] [--markdown FILE] [--check]
 *
 * `--peers` needs `npm ci` in bench/peers, `--crate` needs `cargo build --release` in conformance. `--check` makes a missed target a failure. Exits 1 when
 * one of ours failed or when digests disagree.
 */
import { fork } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { hasCrate } from './crate.mjs';
import { dataDir, documentsFile } from './generate.mjs';
import { describeMachine } from './lib/machine.mjs';
import { formatWork, markdownReport } from './lib/report.mjs';
import { summarise } from './lib/summary.mjs';
import { crateSuite } from './suites/crate.mjs';
import { csvSuite } from './suites/csv.mjs';
import { exportSuite } from './suites/export.mjs';
import { indexSuite } from './suites/index.mjs';
import { ingestion } from './suites/ingestion.mjs';
import { maintenance } from './suites/maintenance.mjs';
import { pipelines } from './suites/pipelines.mjs';
import { randomAccess } from './suites/random-access.mjs';
import { scan } from './suites/scan.mjs';
import { snapshot } from './suites/snapshot.mjs';
import { transforms } from './suites/transforms.mjs';

/** A contestant that takes longer is ended and shown as not measured. */
const LONGEST_MS = 20 * 60_000;

const { values: options } = parseArgs({
  options: {
    documents: { type: 'string', default: '20000' },
    peers: { type: 'boolean', default: false },
    crate: { type: 'boolean', default: false },
    suite: { type: 'string', multiple: true },
    work: { type: 'string', multiple: true },
    runs: { type: 'string', default: '3' },
    json: { type: 'string' },
    markdown: { type: 'string' },
    check: { type: 'boolean', default: false },
    verbose: { type: 'boolean', default: false },
  },
});
const suites = [
  ingestion,
  randomAccess,
  scan,
  indexSuite,
  maintenance,
  snapshot,
  exportSuite,
  csvSuite,
  pipelines,
  transforms,
];
if (options.crate) suites.push(crateSuite);
const documents = positive(options.documents, '--documents');
const runs = positive(options.runs, '--runs');

const machine = describeMachine();
if (options.peers && Object.keys(machine.peers).length === 0) {
  console.error('the peers are not installed: run `npm ci` in bench/peers');
  process.exit(2);
}
if (options.crate && !hasCrate()) {
  console.error('the crate is not built: run `cargo build --release` in conformance');
  process.exit(2);
}
console.log(`${machine.text}\n${documents.toLocaleString('en')} documents, ${runs} runs\n`);
documentsFile(documents);
rmSync(join(dataDir, 'stores'), { recursive: true, force: true });
mkdirSync(join(dataDir, 'stores'), { recursive: true });

const madeStores = new Map();
const works = [];
for (const suite of suites) {
  if (options.suite && !options.suite.includes(suite.name)) continue;
  for (const work of suite.works) {
    if (options.work && !options.work.includes(work.name)) continue;
    const measured = [];
    for (const contestant of work.contestants) {
      if (contestant.peer && !options.peers) continue;
      measured.push({ contestant, outcome: await measure(work, contestant) });
    }
    const summary = summarise(suite, work, measured, documents);
    works.push(summary);
    console.log(formatWork(summary));
  }
}
rmSync(join(dataDir, 'stores'), { recursive: true, force: true });
rmSync(join(dataDir, 'scratch'), { recursive: true, force: true });

const report = { machine, documents, runs, at: new Date().toISOString(), works };
const base = join(dataDir, `results-${documents}`);
writeFileSync(options.json ?? `${base}.json`, `${JSON.stringify(report, null, 2)}\n`);
writeFileSync(options.markdown ?? `${base}.md`, markdownReport(report));
const failures = works.flatMap((work) => work.failures);
const missed = works.flatMap((work) => work.targets.filter((target) => target.met === false));
for (const failure of failures) console.error(`FAILED ${failure}`);
if (missed.length) console.log(`${missed.length} target(s) missed`);
if (failures.length || (options.check && missed.length)) process.exitCode = 1;

async function measure(work, contestant) {
  const count = Math.max(1, Math.round(documents * (contestant.scale ?? 1)));
  const task = { ...contestant, count, contestant: contestant.name };
  if (contestant.store) {
    const key = `${contestant.store}-${count}`;
    if (!madeStores.has(key)) madeStores.set(key, await inChild({ ...task, warmUps: 0, runs: 0 }));
    const made = madeStores.get(key);
    if (!made.ok) return { ...made, count };
  }
  if (count !== documents) documentsFile(count);
  const single = work.singleRun === true;
  const outcome = await inChild({
    ...task,
    store: undefined,
    runs: single ? 1 : runs,
    warmUps: single ? 0 : 1,
  });
  return { ...outcome, count };
}

function inChild(task) {
  return new Promise((resolve) => {
    const child = fork(
      fileURLToPath(new URL('./lib/child.mjs', import.meta.url)),
      [JSON.stringify(task)],
      {
        execArgv: ['--expose-gc'],
        timeout: LONGEST_MS,
        stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      },
    );
    let answer;
    let stderr = '';
    child.stderr.on('data', (text) => {
      stderr = (stderr + text).slice(-2000);
    });
    child.on('message', (message) => {
      answer = message;
    });
    child.on('close', (code, signal) => {
      if (answer?.ok === false && options.verbose) console.error(answer.stack);
      if (code === 0 && answer) resolve(answer);
      else if (answer?.ok === false) resolve(answer);
      else
        resolve({
          ok: false,
          reason: `ended with ${signal ?? code}: ${stderr.trim().split('\n').at(-1) ?? ''}`,
        });
    });
  });
}

function positive(text, name) {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1) {
    console.error(`${name} must be a positive integer, not ${text}`);
    process.exit(2);
  }
  return value;
}
