/**
 * meta/runs.jsonl: the history of the runs that wrote to a collection, one JSON object per line: a
 * `start`, and an `end` with the counts if the run came to one. Other programs ignore it, and losing
 * it loses nothing but history: what is committed, and how far a source was read, is in commits.log.
 *
 * Appended by the collection's writer and synced. A line that a crash tore is passed over, and ended
 * by the next one that is appended.
 */
import { join } from 'node:path';
import type { RunTotals } from '../core/run-info.ts';
import { type Disk, nodeDisk } from '../io/index.ts';
import { Layout } from './layout.ts';

/** A run as the history tells it; without `totals` it is under way or died. */
export interface RunRecord {
  readonly run: string;
  readonly loadId: string;
  readonly collection: string;
  /** ISO 8601. */
  readonly startedAt: string;
  readonly endedAt?: string;
  readonly totals?: RunTotals;
  /** The first cause of a failure. */
  readonly error?: string;
}

interface Line {
  readonly op: 'start' | 'end';
  readonly run: string;
  readonly loadId: string;
  readonly at: string;
  readonly totals?: RunTotals;
  readonly error?: string;
}

/** The history of one collection, for its writer. */
export class RunLog {
  readonly #disk: Disk;
  readonly #path: string;

  constructor(disk: Disk, root: string, collection: string) {
    this.#disk = disk;
    this.#path = pathOf(root, collection);
  }

  start(run: string, loadId: string): Promise<void> {
    return this.#append({ op: 'start', run, loadId, at: new Date().toISOString() });
  }

  end(run: string, loadId: string, totals: RunTotals, error?: unknown): Promise<void> {
    const at = new Date().toISOString();
    const line: Line = { op: 'end', run, loadId, at, totals };
    if (error === undefined) return this.#append(line);
    const text = error instanceof Error ? error.message : String(error);
    return this.#append({ ...line, error: text });
  }

  async #append(line: Line): Promise<void> {
    const file = await this.#disk.open(this.#path, 'create');
    try {
      const size = await file.size();
      const last = new Uint8Array(1);
      if (size > 0) await file.read(last, size - 1);
      const torn = size > 0 && last[0] !== 10;
      await file.write(Buffer.from(`${torn ? '\n' : ''}${JSON.stringify(line)}\n`), size);
      await file.sync();
    } finally {
      await file.close();
    }
  }
}

/** The runs that wrote to a collection, oldest first; none is an empty history. */
export async function listRuns(
  root: string,
  collection: string,
  disk: Disk = nodeDisk,
): Promise<RunRecord[]> {
  const path = pathOf(root, collection);
  if ((await disk.stat(path)) === undefined) return [];
  const runs = new Map<string, RunRecord>();
  for (const { op, run, loadId, at, totals, error } of await readLines(disk, path)) {
    const { startedAt = at } = runs.get(loadId) ?? {};
    const end = op === 'start' ? {} : { endedAt: at, ...(totals ? { totals } : {}) };
    const cause = error === undefined ? {} : { error };
    runs.set(loadId, { run, loadId, collection, startedAt, ...end, ...cause });
  }
  return [...runs.values()];
}

async function readLines(disk: Disk, path: string): Promise<Line[]> {
  const file = await disk.open(path, 'read');
  try {
    const bytes = Buffer.alloc(await file.size());
    const got = await file.read(bytes, 0);
    return bytes.toString('utf8', 0, got).split('\n').flatMap(parseLine);
  } finally {
    await file.close();
  }
}

function parseLine(text: string): Line[] {
  try {
    const line = JSON.parse(text) as Line;
    return typeof line.loadId === 'string' && typeof line.run === 'string' ? [line] : [];
  } catch {
    return [];
  }
}

function pathOf(root: string, collection: string): string {
  return join(Layout.metaDir(root, collection), 'runs.jsonl');
}
