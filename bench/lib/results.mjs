/** Reads the files that exports leave behind, for their digests. */
import { readFileSync } from 'node:fs';
import { tableFromIPC } from 'apache-arrow';
import { Digest } from './digest.mjs';
import { readLines } from './lines.mjs';

/** The digest of a JSONL file: every document's text, key order included. */
export function digestJsonl(file) {
  const digest = new Digest();
  for (const lines of readLines(file)) {
    for (const line of lines) digest.add(JSON.parse(line));
  }
  return digest.toString();
}

/** The digest of a text file: every line as it stands. */
export function digestText(file) {
  const digest = new Digest();
  for (const lines of readLines(file)) for (const line of lines) digest.addText(line);
  return digest.toString();
}

/** The digest of the eight exported columns; `metadata` may be a struct or two columns. */
export function digestArrow(file) {
  const digest = new Digest();
  for (const batch of tableFromIPC(readFileSync(file)).batches) {
    const column = (name) => batch.getChild(name);
    const metadata = column('metadata');
    const created = metadata?.getChild('created') ?? column('created');
    const source = metadata?.getChild('source') ?? column('source');
    const flat = ['_id', 'name', 'email', 'age', 'score', 'active'].map(column);
    for (let i = 0; i < batch.numRows; i++) {
      digest.addFields(...flat.map((values) => values.get(i)), created.get(i), source.get(i));
    }
  }
  return digest.toString();
}
