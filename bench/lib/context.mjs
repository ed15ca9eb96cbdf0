/**
 * What every contestant gets: the documents, the ids to fetch, and places for its files. All paths
 * lie under bench/data, which git ignores.
 */
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { csvFile, dataDir, documentId, documentsFile, randomNumbers } from '../generate.mjs';

const MAX_GETS = 100_000;

/** `count` documents; `contestant` names the scratch folder. */
export function createContext(count, contestant) {
  const scratch = join(dataDir, 'scratch', contestant.replace(/\W+/g, '-'));
  mkdirSync(scratch, { recursive: true });
  return {
    count,
    /** The JSONL input. */
    file: documentsFile(count),
    /** The same as CSV. */
    csv: (quoted = false) => csvFile(count, quoted),
    /** A path in the scratch folder. */
    output: (name) => join(scratch, name),
    /** A path in the scratch folder with nothing there. */
    fresh(name) {
      const path = join(scratch, name);
      rmSync(path, { recursive: true, force: true });
      return path;
    },
    /** Where a store prepared for several works stands. */
    store: (key) => join(dataDir, 'stores', `${key}-${count}`),
    /** Ids in random order, with repetitions; the same in every process. */
    idsToGet() {
      const next = randomNumbers(7);
      return Array.from({ length: Math.min(MAX_GETS, count) }, () => documentId(next() % count));
    },
  };
}
