/**
 * Scans of small stores whose data.jsonl is damaged: single bytes changed, ranges overwritten. A scan
 * gives exactly the documents that were stored, or fails with CORRUPTED_DATA, however it is read and
 * whatever another program has left between. Two kinds of damage nothing can tell of, as there are no
 * sums of the data: a line that is a JSON object still, and one that a predicate passes over unread.
 *
 * ZDS_FUZZ=long changes every byte, and overwrites from every fourth byte on; else a few.
 */
import { describe, expect, it } from 'vitest';
import { recordBatches } from '../../src/arrow/index.ts';
import { isEtlError } from '../../src/core/errors.ts';
import { eq, gt } from '../../src/core/predicate.ts';
import { FastStore, type Scan, type ScanOptions, ZdsRoot } from '../../src/store/index.ts';
import { openForReading } from '../../src/store/open-reading.ts';
import { FaultDisk, type Image } from '../support/fault-disk.ts';
import { somePlaces } from '../support/long.ts';
import { expectSame } from '../support/same.ts';

/** Bytes from one beginning of an overwritten stretch to the next. */
const STEP = 4;

const META = '/s/collections/c/meta';
const DATA = `${META}/data.jsonl`;

const open = (disk: FaultDisk, mode: 'read' | 'write' = 'write') =>
  FastStore.open('/s', 'c', { disk, mode });

type Work = (disk: FaultDisk) => Promise<void>;
const session: Work = async (disk) => {
  const store = await open(disk);
  for (let n = 0; n < 12; n++) store.put(`d${n}`, { n, kind: n % 2 ? 'odd' : 'even' });
  await store.close();
};
const changes: Work = async (disk) => {
  const store = await open(disk);
  for (const n of [2, 3, 9]) store.put(`d${n}`, { n, kind: 'new' });
  store.delete('d5');
  await store.close();
};
const samples: Record<string, readonly Work[]> = {
  'all alive': [session],
  'some dead': [session, changes],
  compacted: [
    session,
    changes,
    async (disk) => {
      const store = await open(disk);
      await store.compact();
      await store.close();
    },
  ],
  'a session that died': [
    session,
    async (disk) => {
      const store = await open(disk);
      store.put('d20', { n: 20, kind: 'even' });
      store.put('d4', { n: 4, kind: 'odd' });
      await store.flush();
      await store.abandon();
    },
  ],
  'lines of another program': [
    session,
    async (disk) => {
      const file = await disk.open(DATA, 'write');
      const lines = '{"n":100,"_id":"x"}\nrubbish\n\n{"_id":"y","n":101}\n';
      await file.write(Buffer.from(lines), await file.size());
      await file.close();
    },
    changes,
  ],
};

/** What a scan gives, in one form or another. */
type Reading = (scan: Scan<object>) => Promise<unknown[]>;
const readings: Record<string, Reading> = {
  async: (scan) => scan.toArray(),
  sync: async (scan) => scan.collect(),
  batches: async (scan) => {
    const lines: string[] = [];
    for await (const batch of scan.batches()) {
      if (batch.length > 0) lines.push(...Buffer.from(batch.bytes()).toString().split('\n'));
    }
    return lines;
  },
  Arrow: async (scan) => {
    const rows: unknown[] = [];
    const batches = scan.batches({ unread: true });
    for await (const batch of recordBatches(batches, { schema: { n: 'json', kind: 'json' } })) {
      for (const row of batch) rows.push(row.toJSON());
    }
    return rows;
  },
};
const queries: Record<string, ScanOptions> = {
  everything: {},
  'some fields': { select: ['n'] },
  'a window': { offset: 3, limit: 5 },
  'some ids': { ids: ['d1', 'd2', 'd9', 'd20', 'x'] },
  'small pieces': { pieceBytes: 100 },
  'what a predicate keeps': { where: gt('n', 1), pieceBytes: 200 },
  'what two predicates keep': { where: eq('kind', 'even'), select: ['_id', 'n'] },
};

interface Outcome {
  readonly name: string;
  readonly query: ScanOptions;
  readonly code: string | undefined;
  readonly found: unknown[];
}

/** Every reading of every query, with the index and, where that can be, without. */
async function readAll(image: Image): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  const root = await ZdsRoot.open('/s', { disk: new FaultDisk(image), mode: 'read' });
  for (const way of ['store', 'scan only']) {
    const opening = way === 'store' ? root.collection<object>('c') : openForReading(root, 'c');
    const opened = await opening.catch((error: unknown) => ({ code: codeOf(error) }));
    for (const [form, reading] of Object.entries(readings)) {
      for (const [about, query] of Object.entries(queries)) {
        if (query.ids && way !== 'store') continue;
        const outcome = { name: `${way}, ${form}: ${about}`, query, found: [] };
        if ('code' in opened) outcomes.push({ ...outcome, ...opened });
        else {
          const read = reading(opened.scan(query)).then(
            (found) => ({ code: undefined, found }),
            (error: unknown) => ({ code: codeOf(error) }),
          );
          outcomes.push({ ...outcome, ...(await read) });
        }
      }
    }
    if ('close' in opened) await opened.close();
  }
  await root.close();
  return outcomes;
}

function codeOf(error: unknown): string {
  if (!isEtlError(error)) throw error;
  expectSame(error.place.path, DATA);
  return error.code;
}

/** How many lines there are, and how many of them are objects. */
function linesOf(bytes: Uint8Array): { readonly objects: number; readonly lines: number } {
  let objects = 0;
  const lines = Buffer.from(bytes).toString('latin1').replace(/\n$/, '').split('\n');
  for (const line of lines) {
    try {
      const text = new TextDecoder('utf-8', { fatal: true }).decode(Buffer.from(line, 'latin1'));
      const value: unknown = JSON.parse(text);
      if (typeof value === 'object' && value !== null && !Array.isArray(value)) objects++;
    } catch {}
  }
  return { objects, lines: lines.length };
}

async function checkDamaged(image: Image, damaged: Uint8Array, expected: Outcome[]): Promise<void> {
  const before = linesOf(image.get(DATA)!);
  const after = linesOf(damaged);
  if (after.objects >= before.objects) return;
  const outcomes = await readAll(new Map([...image, [DATA, damaged]]));
  for (const [i, { name, query, code, found }] of outcomes.entries()) {
    if (code === 'CORRUPTED_DATA') continue;
    const fewer = found.length < expected[i]!.found.length;
    // Passed over unread.
    if (query.where && after.lines === before.lines && fewer) continue;
    // Several lines that have become one object, in front of an end that was not reached.
    const broken = after.lines - after.objects;
    if (query.limit !== undefined && broken === before.lines - before.objects) continue;
    expect([name, code, found]).toEqual([name, undefined, expected[i]!.found]);
  }
}

describe.each(Object.keys(samples))('scans of damaged data, %s', (name) => {
  const made = (async () => {
    const disk = new FaultDisk();
    for (const work of samples[name]!) await work(disk);
    const image = disk.current();
    return { image, bytes: image.get(DATA)!, expected: await readAll(image) };
  })();

  it('are without fault where nothing is damaged', async () => {
    const { expected } = await made;
    for (const { name: about, code, found } of expected) {
      expect([about, code, found.length > 1]).toEqual([about, undefined, true]);
    }
  });

  it.each([10, 0, 0xff, 0x22])('a byte that is %i', async (value) => {
    const { image, bytes, expected } = await made;
    for (const at of somePlaces(bytes.length, 8)) {
      const damaged = bytes.slice();
      damaged[at] = value;
      await checkDamaged(image, damaged, expected);
    }
  });

  it.each([0xff, 0x20, 0x7b])('a third that is all %i', async (value) => {
    const { image, bytes, expected } = await made;
    const third = Math.floor(bytes.length / 3);
    for (const each of somePlaces(Math.floor(bytes.length / STEP), 6)) {
      const from = each * STEP;
      await checkDamaged(image, bytes.slice().fill(value, from, from + third), expected);
    }
  });
});

it('the error names the line', async () => {
  const disk = new FaultDisk();
  await session(disk);
  const image = disk.current();
  const bytes = image.get(DATA)!.slice();
  const offset = Buffer.from(bytes).indexOf('{"_id":"d7"');
  bytes[offset + 1] = 0xff;
  const store = await open(new FaultDisk(new Map([...image, [DATA, bytes]])), 'read');
  await expect(store.scanAll()).rejects.toMatchObject({
    code: 'CORRUPTED_DATA',
    place: { path: DATA, offset, line: 8 },
    message: expect.stringMatching(/of 12 lines of documents 11 can be read/),
  });
});
