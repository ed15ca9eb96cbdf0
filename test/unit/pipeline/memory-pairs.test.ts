/**
 * Ten times as much data as a run may hold, from every kind of source into every kind of sink, each pair
 * in a process of its own: the memory of the process stays within the bound, and all documents arrive.
 * By default one pair is met; with ZDS_MEMORY=matrix every one, which takes five minutes; with
 * ZDS_MEMORY=fifth, as `.ci/run` sets it, every fifth, others each day.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createReadStream, existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import pLimit from 'p-limit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { built } from '../../support/lives.ts';
import { DOCUMENT_BYTES } from '../../support/memory-document.mjs';
import {
  documentsIn,
  type InputServer,
  makeInputs,
  serveInputs,
} from '../../support/memory-inputs.ts';

const MIB = 1 << 20;
/** What the run is allowed. */
const LIMIT = 8 * MIB;
/**
 * What the process may take beyond Node, the package and what a run over `LIMIT` bytes needs: kernels and
 * young objects come on top of documents, and `malloc` gives back what it was given late.
 */
const SLACK = 24 * MIB;
/** `fetch` copies each body, and lets go of it late. */
const FETCH_SLACK = 16 * MIB;
/** Node, the package, compiled code, and a run over no more than `LIMIT` bytes. */
const BASE = 128 * MIB;
const few = Math.ceil(LIMIT / DOCUMENT_BYTES);
const counts = { few, many: 10 * few } as const;

const MATRIX = process.env.ZDS_MEMORY !== undefined;
const STEP = process.env.ZDS_MEMORY === 'fifth' ? 5 : 1;
const TODAY = Math.floor(Date.now() / 86_400_000);
const SOURCES =
  'jsonl jsonl.gz csv json http tail generate iterable zds drive arrow parquet stdin'.split(' ');
const SINKS = 'zds jsonl jsonl.gz csv arrow http drive parquet tee route custom'.split(' ');
const pairs = MATRIX
  ? SOURCES.flatMap((source) => SINKS.map((sink) => [source, sink] as const)).filter(
      (_, i) => (i + TODAY) % STEP === 0,
    )
  : ([['jsonl', 'parquet']] as const);
/** What the files of these sinks are, each with a part of the documents or all. */
const written: Readonly<Record<string, readonly string[]>> = {
  tee: ['jsonl', 'csv'],
  route: ['jsonl', 'csv', 'arrow'],
};

const folder = mkdtempSync(join(tmpdir(), 'zds-memory-'));
let server: InputServer | undefined;
afterAll(() => {
  server?.close();
  rmSync(folder, { recursive: true, force: true });
});
const child = fileURLToPath(new URL('../../support/memory-pair.mjs', import.meta.url));
const inTurn = pLimit(2);

interface Measured {
  readonly read: number;
  readonly written: number;
  readonly before: number;
  readonly grown: number;
  /** Documents found at the far side, of each part of it. */
  readonly found: readonly number[];
}

/** Runs a pair in a process, and counts what it has left. */
async function measure(source: string, sink: string, holds = false): Promise<Measured> {
  const name = `${source}-${sink}-${holds}`;
  const base = `${server!.base}/${name}`;
  const out = join(folder, name);
  mkdirSync(out);
  const about = JSON.stringify({ source, sink, folder, out, base, maxMemory: LIMIT, holds });
  const flags = ['--expose-gc', '--max-semi-space-size=2'];
  const running = spawn(process.execPath, [...flags, child, about]);
  let said = '';
  let complaint = '';
  running.stdout.on('data', (text: Buffer) => (said += text.toString()));
  running.stderr.on('data', (text: Buffer) => (complaint += text.toString()));
  if (source === 'stdin') createReadStream(join(folder, 'many.jsonl')).pipe(running.stdin);
  const [code] = await once(running, 'close');
  expect({ code, complaint }).toEqual({ code: 0, complaint: '' });
  const parts = written[sink] ?? (sink in documentsIn ? [sink] : []);
  const found: number[] = [];
  for (const part of parts) found.push(await documentsIn[part]!(join(out, 'many')));
  if (sink === 'http') found.push(server!.taken.get(`/${name}/put`)! - counts.few);
  rmSync(out, { recursive: true });
  return { ...(JSON.parse(said) as Measured), found };
}

describe.skipIf(!existsSync(built) || !existsSync('/proc/self/status'))(
  `memory, ${10 * LIMIT} bytes through a run that may hold ${LIMIT}`,
  () => {
    beforeAll(async () => {
      server = await serveInputs(folder);
      await makeInputs(
        folder,
        counts,
        pairs.map(([source]) => source),
      );
    }, 120_000);

    it.concurrent.each(pairs)(
      'stays within the bound: %s to %s',
      async (source, sink) => {
        const { before, grown, found, ...count } = await inTurn(() => measure(source, sink));
        if (MATRIX) {
          console.log(
            `${source} to ${sink}: ${Math.round(before / MIB)} + ${Math.round(grown / MIB)} MiB`,
          );
        }
        expect(count).toEqual({ read: counts.many, written: counts.many });
        if (sink === 'route') expect(found.reduce((sum, part) => sum + part)).toBe(counts.many);
        else expect(found).toEqual(found.map(() => counts.many));
        expect(before).toBeLessThan(BASE);
        expect(grown).toBeLessThan(LIMIT + SLACK + (sink === 'http' ? FETCH_SLACK : 0));
      },
      300_000,
    );

    it.runIf(MATRIX)(
      'would notice a run that holds everything',
      async () => {
        const { grown } = await measure('iterable', 'custom', true);
        expect(grown).toBeGreaterThan(8 * LIMIT);
      },
      60_000,
    );
  },
);
