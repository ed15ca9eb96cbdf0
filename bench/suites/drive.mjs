/**
 * The table of the R-Drive store, ours beside the crate: least of several runs each, tallies compared.
 *
 *   node bench/suites/drive.mjs [--runs N] [--scale 0.01] [--crate] [--warm]
 *
 * `--warm`: ours in processes that have done the same work before, so that what is measured is not the compiling.
 */
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { hasDriveCrate, measure } from '../drive.mjs';
import { describeMachine } from '../lib/machine.mjs';

const { values: options } = parseArgs({
  options: {
    runs: { type: 'string', default: '3' },
    scale: { type: 'string', default: '1' },
    crate: { type: 'boolean', default: false },
    warm: { type: 'boolean', default: false },
  },
});
if (options.crate && !hasDriveCrate()) {
  console.error('the crate is not built: run `cargo build --release` in conformance');
  process.exit(2);
}
const scale = Number(options.scale);
const folder = fileURLToPath(new URL('../data/drive/', import.meta.url));
rmSync(folder, { recursive: true, force: true });
mkdirSync(folder, { recursive: true });

const works = ['write', 'batchWrite', 'open', 'read', 'readChecked', 'batchRead', 'iterate'];
const sizes = [
  { title: '8 B', size: 8, count: 1_000_000, works },
  { title: '256 B', size: 256, count: 100_000, works },
  { title: '1 MiB', size: 1 << 20, count: 200, works: ['write', 'open', 'readChecked'] },
  { title: '256 B, two readers beside', size: 256, count: 100_000, works: ['contention'] },
];

console.log(describeMachine().text);
let failed = false;
for (const { title, size, count: whole, works: some } of sizes) {
  const count = Math.max(1, Math.round(whole * scale));
  for (const work of some) {
    const results = {};
    for (const who of options.crate ? ['ours', 'crate'] : ['ours']) {
      const way = who === 'ours' && options.warm ? 'warm' : who;
      results[who] = await least(way, work, join(folder, `${who}-${size}`), count, size);
    }
    const { ours, crate } = results;
    const rate = ours.seconds === 0 ? 0 : (work === 'open' ? 1 : count) / ours.seconds;
    const line = [
      `${count} x ${title}`.padEnd(36),
      work.padEnd(12),
      `${ours.seconds.toFixed(4)} s`.padStart(11),
      `${rate.toFixed(0)}/s`.padStart(12),
      `${(ours.peakBytes / 2 ** 20).toFixed(0)} MiB`.padStart(9),
      ours.reads === undefined ? '' : `  ${ours.reads} reads beside`,
    ];
    if (crate) {
      line.push(
        `  crate ${crate.seconds.toFixed(4)} s`,
        `(${(crate.seconds / ours.seconds).toFixed(2)}x)`,
      );
      if (crate.tally !== ours.tally) {
        failed = true;
        line.push(`DIFFERS: ${ours.tally}, crate ${crate.tally}`);
      }
    }
    console.log(line.join(' ').trimEnd());
  }
}
rmSync(folder, { recursive: true, force: true });
if (failed) process.exitCode = 1;

async function least(who, work, path, count, size) {
  let best;
  for (let i = 0; i < Number(options.runs); i++) {
    const result = await measure(who, work, path, count, size);
    if (result === undefined) return undefined;
    if (best === undefined || result.seconds < best.seconds) best = result;
  }
  return best;
}
