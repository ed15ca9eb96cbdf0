/**
 * Transforms from a file to a file: with the built package, its public functions and its defaults, and
 * by hand with an object per line, at its fastest: lines that are kept as they are are not written anew.
 */
import { closeSync, fsyncSync, openSync, writeSync } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import {
  aggregate,
  cast,
  dedupe,
  filter,
  flatten,
  gt,
  jsonlSink,
  jsonlSource,
  project,
  rename,
} from '../dist/index.js';
import { Digest } from './lib/digest.mjs';
import { readLines } from './lib/lines.mjs';
import { digestJsonl } from './lib/results.mjs';

const OUT = 'out.jsonl';

const digestOut = ({ output }) => digestJsonl(output(OUT));

/** Sums differ in their last digits with the order and the way of adding. */
function digestGroups({ output }) {
  const digest = new Digest();
  for (const lines of readLines(output(OUT))) {
    for (const line of lines) {
      if (line === '') continue;
      const { source, count, sum, mean, min, max } = JSON.parse(line);
      digest.addFields(source, count, sum.toFixed(3), mean.toFixed(6), min, max);
    }
  }
  return digest;
}

const ours = (make, digest = digestOut) => ({
  run: ({ file, fresh }) => pipeline(jsonlSource(file), make(), jsonlSink(fresh(OUT))),
  digest,
});

/** `begin` gives a function from an object and its line to the line to write, if any, and what comes last. */
const byHand = (begin, digest = digestOut) => ({
  run({ file, fresh }) {
    const { each, end } = begin();
    const output = openSync(fresh(OUT), 'w');
    for (const lines of readLines(file)) {
      let text = '';
      for (const line of lines) {
        if (line === '') continue;
        const made = each(JSON.parse(line), line);
        if (made !== undefined) text += `${made}\n`;
      }
      writeSync(output, text);
    }
    if (end) writeSync(output, end());
    fsyncSync(output);
    closeSync(output);
  },
  digest,
});

function groupByHand() {
  const groups = new Map();
  return {
    each({ score, metadata: { source } }) {
      const group = groups.get(source);
      if (group === undefined) {
        groups.set(source, { source, count: 1, sum: score, min: score, max: score });
        return;
      }
      group.count++;
      group.sum += score;
      if (score < group.min) group.min = score;
      if (score > group.max) group.max = score;
    },
    end: () =>
      Array.from(
        groups.values(),
        (group) => `${JSON.stringify({ ...group, mean: group.sum / group.count })}\n`,
      ).join(''),
  };
}

function dedupeByHand() {
  const seen = new Set();
  return {
    each({ metadata: { created } }, line) {
      if (seen.has(created)) return undefined;
      seen.add(created);
      return line;
    },
  };
}

const of = (measure) => ({ [measure]: 'score' });

export const works = {
  where: ours(() => filter(gt('score', 90))),
  whereByHand: byHand(() => ({ each: ({ score }, line) => (score > 90 ? line : undefined) })),

  project: ours(() => project(['_id', 'email'])),
  projectByHand: byHand(() => ({ each: ({ _id, email }) => JSON.stringify({ _id, email }) })),

  rename: ours(() => rename({ name: 'fullName', 'metadata.source': 'origin' })),
  renameByHand: byHand(() => ({
    each({ _id, name, email, age, score, active, tags, metadata: { created, source } }) {
      const metadata = { created, origin: source };
      return JSON.stringify({ _id, fullName: name, email, age, score, active, tags, metadata });
    },
  })),

  cast: ours(() => cast({ score: 'string', age: 'string', 'metadata.created': 'timestamp' })),
  castByHand: byHand(() => ({
    each(document) {
      const { age, metadata } = document;
      document.score = String(document.score);
      document.age = String(age);
      metadata.created = new Date(metadata.created).toISOString();
      return JSON.stringify(document);
    },
  })),

  aggregate: ours(
    () =>
      aggregate({
        by: { source: 'metadata.source' },
        measures: {
          count: { count: true },
          sum: of('sum'),
          mean: of('mean'),
          min: of('min'),
          max: of('max'),
        },
      }),
    digestGroups,
  ),
  aggregateByHand: byHand(groupByHand, digestGroups),

  dedupe: ours(() => dedupe({ by: 'metadata.created' })),
  dedupeByHand: byHand(dedupeByHand),

  flatten: ours(() => flatten()),
  flattenByHand: byHand(() => ({
    each({ metadata: { created, source }, ...flat }) {
      flat.metadata_created = created;
      flat.metadata_source = source;
      return JSON.stringify(flat);
    },
  })),
};
