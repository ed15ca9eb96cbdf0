/**
 * The benchmark's documents: seeded, 186 bytes each on average (line end included), written as a
 * stream, so any count costs the same memory. The first n documents of any count are the same.
 *
 * A file that exists is complete: it is written under a temporary name and renamed at the end.
 * Command line: `node bench/generate.mjs COUNT [FILE]`.
 */
import { closeSync, existsSync, mkdirSync, openSync, renameSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Changes whenever the same seed would give other documents, so that no stale file is used. */
const VERSION = 1;
const SEED = 0x5eed;

const FIRST = ['Ada', 'Grace', 'Linus', 'Margaret', 'Dennis', 'Barbara', 'Ken', 'Frances'];
const LAST = ['Lovelace', 'Hopper', 'Hamilton', 'Ritchie', 'Liskov', 'Thompson', 'Allen', 'Perlis'];
const TAGS = ['red', 'new', 'hot', 'vip', 'big', 'old'];
const SOURCES = ['web', 'app', 'file', 'api', 'feed'];

/** Fields of a document that every writer of CSV writes alike: an empty array is quoted by ours only. */
export const CSV_FIELDS = ['_id', 'name', 'email', 'age', 'score', 'active', 'metadata'];

export const dataDir = fileURLToPath(new URL('./data/', import.meta.url));

/** Path of the file with `count` documents; made if it is not there yet. */
export function documentsFile(count) {
  const file = join(dataDir, `documents-v${VERSION}-${count}.jsonl`);
  if (!existsSync(file)) generateFile(file, count);
  return file;
}

/** Path of a CSV file with the same documents, flat and without tags; `quoted`: every field is. */
export function csvFile(count, quoted) {
  const file = join(dataDir, `rows-v${VERSION}-${quoted ? 'quoted-' : ''}${count}.csv`);
  if (!existsSync(file)) writeWhole(file, csvRows(count, quoted ? (v) => `"${v}"` : String));
  return file;
}

/** The id of document `ordinal`. */
export function documentId(ordinal) {
  return `u${String(ordinal).padStart(8, '0')}`;
}

/** Numbers in [0, 2^32), the same for the same seed (mulberry32). */
export function randomNumbers(seed) {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  };
}

function generateFile(file, count) {
  writeWhole(file, lines(count));
}

function writeWhole(file, texts) {
  mkdirSync(dirname(file), { recursive: true });
  const unfinished = `${file}.${process.pid}.tmp`;
  const out = openSync(unfinished, 'w');
  let text = '';
  for (const each of texts) {
    text += each;
    if (text.length > 1 << 20) {
      writeSync(out, text);
      text = '';
    }
  }
  writeSync(out, text);
  closeSync(out);
  renameSync(unfinished, file);
}

function* lines(count) {
  const next = randomNumbers(SEED);
  const days = Array.from({ length: 1000 }, (_, day) =>
    new Date(Date.UTC(2022, 0, 1 + day)).toISOString().slice(0, 10),
  );
  for (let i = 0; i < count; i++) {
    const a = next();
    const b = next();
    const first = FIRST[a & 7];
    const last = LAST[(a >>> 3) & 7];
    const tags = TAGS.slice((a >>> 6) % 6, ((a >>> 6) % 6) + ((a >>> 9) & 3));
    const score = (b % 100_000) / 1000;
    const created = `${days[(b >>> 8) % 1000]}T${10 + ((a >>> 17) % 14)}:${10 + ((a >>> 11) % 50)}Z`;
    yield `{"_id":"${documentId(i)}","name":"${first} ${last}","email":"${first.toLowerCase()}.${i}@ex.org","age":${18 + ((a >>> 20) % 70)},"score":${score},"active":${(a >>> 28) % 3 !== 0},"tags":${JSON.stringify(tags)},"metadata":{"created":"${created}","source":"${SOURCES[(b >>> 3) % 5]}"}}\n`;
  }
}

function* csvRows(count, write) {
  const row = (values) => `${values.map(write).join(',')}\n`;
  yield row(['_id', 'name', 'email', 'age', 'score', 'active', 'created', 'source']);
  for (const line of lines(count)) {
    const { tags: _, metadata, ...flat } = JSON.parse(line);
    yield row([...Object.values(flat), metadata.created, metadata.source]);
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const count = Number(process.argv[2]);
  if (!Number.isSafeInteger(count) || count < 1) {
    console.error('usage: node bench/generate.mjs COUNT [FILE]');
    process.exit(2);
  }
  const file = process.argv[3];
  if (file) generateFile(file, count);
  console.log(file ?? documentsFile(count));
}
