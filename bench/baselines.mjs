/** What one writes by hand with Node alone, at its fastest. */
import {
  closeSync,
  createReadStream,
  fsyncSync,
  openSync,
  readFileSync,
  readSync,
  writeSync,
} from 'node:fs';
import { createInterface } from 'node:readline';
import { Digest, PairTally, Tally } from './lib/digest.mjs';
import { readLines, readText } from './lib/lines.mjs';
import { digestJsonl } from './lib/results.mjs';

/** A work that hands documents to a visitor: timed with a light one, checked with a thorough one. */
export function visiting(visit, Light = Tally) {
  return {
    run: async (context, state) => {
      const tally = new Light();
      await visit(context, tally, state);
      return tally;
    },
    digest: async (context, state) => {
      const digest = new Digest();
      await visit(context, digest, state);
      return digest;
    },
  };
}

export const works = {
  copy: {
    run({ file, fresh }) {
      const input = openSync(file, 'r');
      const output = openSync(fresh('copy.jsonl'), 'w');
      const buffer = Buffer.allocUnsafe(1 << 20);
      for (let read = 1; read > 0; ) {
        read = readSync(input, buffer);
        if (read > 0) writeSync(output, buffer, 0, read);
      }
      fsyncSync(output);
      closeSync(output);
      closeSync(input);
    },
    digest: ({ output }) => digestJsonl(output('copy.jsonl')),
  },

  /** JSON.parse of an array is faster than of its elements, as long as the text stays small. */
  scanJoined: visiting(({ file }, visitor) => {
    for (const text of readText(file, 1 << 16)) {
      for (const document of JSON.parse(`[${text.replaceAll('\n', ',')}]`)) visitor.add(document);
    }
  }),

  scanLines: visiting(({ file }, visitor) => {
    for (const lines of readLines(file)) {
      for (const line of lines) visitor.add(JSON.parse(line));
    }
  }),

  scanReadline: visiting(async ({ file }, visitor) => {
    const input = createReadStream(file, { highWaterMark: 1 << 20 });
    const lines = createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY });
    lines.on('line', (line) => visitor.add(JSON.parse(line)));
    await new Promise((resolve) => lines.on('close', resolve));
  }),

  filterLines: visiting(({ file }, visitor) => {
    for (const lines of readLines(file)) {
      for (const line of lines) {
        const { _id, email, score } = JSON.parse(line);
        if (score > 90) visitor.add({ _id, email });
      }
    }
  }, PairTally),

  filterToFile: {
    run({ file, fresh }) {
      const output = openSync(fresh('filtered.jsonl'), 'w');
      for (const lines of readLines(file)) {
        let kept = '';
        for (const line of lines) if (JSON.parse(line).score > 90) kept += `${line}\n`;
        writeSync(output, kept);
      }
      fsyncSync(output);
      closeSync(output);
    },
    digest: ({ output }) => digestJsonl(output('filtered.jsonl')),
  },

  get: {
    setup({ file, idsToGet }) {
      const bytes = readFileSync(file);
      const places = new Map();
      for (let start = 0; start < bytes.length; ) {
        const end = bytes.indexOf(10, start);
        const idEnd = bytes.indexOf(34, start + 8);
        places.set(bytes.toString('latin1', start + 8, idEnd), [start, end]);
        start = end + 1;
      }
      return { bytes, places, ids: idsToGet() };
    },
    ...visiting((_, visitor, { bytes, places, ids }) => {
      for (const id of ids) {
        const [start, end] = places.get(id);
        visitor.add(JSON.parse(bytes.toString('utf8', start, end)));
      }
    }),
  },
};
