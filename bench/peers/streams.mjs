/** Streams of objects: split2 with JSON.parse, and stream-json's JSONL parser. */
import { createReadStream } from 'node:fs';
import { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import split2 from 'split2';
import jsonl from 'stream-json/jsonl/Parser.js';
import { visiting } from '../baselines.mjs';

const CHUNK = { highWaterMark: 1 << 20 };

export const works = {
  scanSplit2: visiting(({ file }, visitor) =>
    pipeline(
      createReadStream(file, CHUNK),
      split2(JSON.parse),
      collector((document) => visitor.add(document)),
    ),
  ),

  scanStreamJson: visiting(({ file }, visitor) =>
    pipeline(
      createReadStream(file, CHUNK),
      jsonl.parser(),
      collector(({ value }) => visitor.add(value)),
    ),
  ),
};

function collector(visit) {
  return new Writable({
    objectMode: true,
    write(item, _, done) {
      visit(item);
      done();
    },
  });
}
