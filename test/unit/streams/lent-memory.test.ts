/**
 * Memory that sources lend and sinks give back. What may go wrong is that something is looked at
 * after it was written to again; every test here compares all bytes. See also
 * test/property/pipelines.test.ts.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { gunzipSync } from 'node:zlib';
import { tableFromIPC } from 'apache-arrow';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Batch } from '../../../src/core/batch.ts';
import { readChunks } from '../../../src/formats/chunk-reader.ts';
import { decodeLines } from '../../../src/formats/jsonl.ts';
import {
  arrowSink,
  jsonlSink,
  jsonlSource,
  lt,
  run,
  zdsSink,
  zdsSource,
} from '../../../src/index.ts';
import type { DiskFile } from '../../../src/io/disk.ts';
import { readThrough } from '../../../src/sources/input-place.ts';
import { FileTail } from '../../../src/store/tail.ts';

const folder = mkdtempSync(join(tmpdir(), 'lent-'));
const file = join(folder, 'in.jsonl');
const root = join(folder, 'root');
let text = '';

beforeAll(async () => {
  let i = 0;
  while (text.length < 6 << 20) {
    text += `{"_id":"d${i}","n":${i},"text":"${'x'.repeat(i % 97)}${i++}"}\n`;
  }
  writeFileSync(file, text);
  await pipeline(jsonlSource(file), zdsSink(root, 'given'));
});

afterAll(() => rmSync(folder, { recursive: true }));

/** Whether bytes are the input; told apart by hand, as a difference would be megabytes of message. */
const isInput = (bytes: Uint8Array): boolean => Buffer.from(text).equals(bytes);

/** The stored bytes of a collection. */
const stored = (collection: string): Uint8Array =>
  readFileSync(join(root, 'collections', collection, 'meta', 'data.jsonl'));

/** How many memories the batches of a file stand in, when each is dealt with so. */
async function memoriesUsed(deal: (batch: Batch) => void): Promise<number> {
  const memories = new Set<ArrayBufferLike>();
  const wants = { releases: true };
  const batches = jsonlSource(file, { batchBytes: 64 << 10 }).source.batches(
    new AbortController().signal,
    wants,
  );
  for await (const batch of batches) {
    memories.add(batch.bytes().buffer);
    deal(batch);
  }
  return memories.size;
}

describe('lent memory', () => {
  it('is used again when batches are released, and only then', async () => {
    expect(await memoriesUsed((batch) => batch.release())).toBeLessThan(20);
    expect(await memoriesUsed(() => {})).toBeGreaterThan(90);
    expect(
      await memoriesUsed((batch) => {
        batch.keep();
        batch.release();
      }),
    ).toBeGreaterThan(90);
  });

  it('of documents, which are copies, is given back once whatever is released', async () => {
    const piece = new TextEncoder().encode('{"n":1}\n'.repeat(20_000));
    let given = 0;
    let left = 3;
    const reader = {
      read: async () => (left-- > 0 ? piece.slice() : undefined),
      reuse: () => given++,
      close: async () => {},
    };
    for await (const batch of decodeLines(reader, { documents: true, releases: true })) {
      batch.release();
    }
    expect(given).toBe(3);
  });

  it('of a batch that was released is not looked at', async () => {
    const iterator = zdsSource(root, 'given').source.batches(new AbortController().signal, {
      releases: true,
    });
    const { value } = await iterator.next();
    const batch = value as Batch;
    batch.release();
    expect(() => batch.bytes()).toThrow('released');
    await iterator.return();
  });

  it('is lent to the batch with another cursor', async () => {
    expect(await memoriesUsed((batch) => batch.withCursor(1).release())).toBeLessThan(20);
  });

  it('gives a collection every byte', async () => {
    await pipeline(jsonlSource(file, { batchBytes: 100_000 }), zdsSink(root, 'copied'));
    expect(isInput(stored('copied'))).toBe(true);
  });

  it('gives a collection every byte in a run, with its cursors', async () => {
    const source = jsonlSource(file, { batchBytes: 100_000 });
    const sink = zdsSink(root, 'ran', { commitBytes: 1 << 20 });
    await run({ name: 'lent', source, sink });
    expect(isInput(stored('ran'))).toBe(true);
    // Its last cursor stands: the same run has nothing left to do.
    const again = await run({
      resume: true,
      name: 'lent',
      source: jsonlSource(file),
      sink: zdsSink(root, 'ran'),
    });
    expect(again.read).toBe(0);
  });

  it('gives an Arrow file every value, whole or with fields chosen', async () => {
    const path = join(folder, 'out.arrow');
    for (const select of [undefined, ['_id', 'text']]) {
      const options = { ...(select ? { select } : {}), pieceBytes: 50_000 };
      await pipeline(zdsSource(root, 'given', options), arrowSink(path, { batchRows: 1000 }));
      const texts = tableFromIPC(readFileSync(path)).getChild('text')!;
      const lines = text.split('\n');
      expect(texts.length).toBe(lines.length - 1);
      for (let i = 0; i < texts.length; i++) {
        const { text: wanted } = JSON.parse(lines[i]!) as { text: string };
        if (texts.get(i) !== wanted) expect(texts.get(i)).toBe(wanted);
      }
    }
  });

  it('gives a file of lines every byte, whole, selected and compressed', async () => {
    const path = join(folder, 'out.jsonl');
    const options = { pieceBytes: 50_000 };
    await pipeline(zdsSource(root, 'given', options), jsonlSink(path));
    expect(isInput(readFileSync(path))).toBe(true);
    await pipeline(zdsSource(root, 'given', options), jsonlSink(`${path}.gz`));
    expect(isInput(gunzipSync(readFileSync(`${path}.gz`)))).toBe(true);
    await pipeline(
      zdsSource(root, 'given', { ...options, where: lt('n', 60_000) }),
      jsonlSink(path),
    );
    const kept = Buffer.from(text.slice(0, text.indexOf('{"_id":"d60000"')));
    expect(kept.equals(readFileSync(path))).toBe(true);
  });

  it('goes back to nobody where a batch goes to several', async () => {
    const source = jsonlSource(file, { batchBytes: 50_000 });
    const store = zdsSink(root, 'one-of-two');
    const lines = jsonlSink(join(folder, 'two.jsonl'));
    source.pipe(store);
    source.pipe(lines);
    await Promise.all([store.summary, lines.summary]);
    expect(isInput(readFileSync(join(folder, 'two.jsonl')))).toBe(true);
    expect(isInput(stored('one-of-two'))).toBe(true);
  });

  it('is not what a stranger who listens is given', async () => {
    const source = jsonlSource(file, { batchBytes: 50_000 });
    const heard: object[] = [];
    source.on('data', (document) => heard.push(document));
    const store = zdsSink(root, 'overheard');
    source.pipe(store);
    await store.summary;
    const lines = heard.map((document) => `${JSON.stringify(document)}\n`);
    expect(isInput(Buffer.from(lines.join('')))).toBe(true);
  });

  it("is the system's until it is written", async () => {
    const written: Uint8Array[] = [];
    const file = {
      async write(bytes: Uint8Array) {
        await new Promise((resolve) => setTimeout(resolve, 5));
        written.push(bytes.slice());
      },
    } as unknown as DiskFile;
    const tail = new FileTail(file, 0, () => {});
    const piece = new Uint8Array(100).fill(7);
    tail.appendPiece(piece, () => piece.fill(0));
    await tail.drain();
    expect(written).toEqual([new Uint8Array(100).fill(7)]);
    expect(piece[0]).toBe(0);
  });

  it('is not written to while places are told from it', async () => {
    const memory = Uint8Array.from({ length: 700 }, (_, i) => i);
    let at = 0;
    const given: Uint8Array[] = [];
    const reader = await readThrough(
      {
        async read() {
          return at < 3 ? memory.slice(at * 100, ++at * 100) : undefined;
        },
        reuse: (bytes) => given.push(bytes.fill(0xff)),
        async close() {},
      },
      { name: 'x', input: 0 },
      undefined,
      new AbortController().signal,
    );
    const plain = await readThrough(
      readChunks([memory.slice(0, 300)], { chunkBytes: 300 }),
      { name: 'x', input: 0 },
      undefined,
      new AbortController().signal,
    );
    await plain.read(new Uint8Array(0));
    for (let i = 0; i < 3; i++) reader.reuse!((await reader.read(new Uint8Array(0)))!);
    expect(reader.placeAt(250)).toEqual(plain.placeAt(250));
  });

  it('is not asked of sources that lend none', async () => {
    await pipeline(jsonlSource(Readable.from([Buffer.from(text)])), zdsSink(root, 'from-a-stream'));
    expect(isInput(stored('from-a-stream'))).toBe(true);
  });
});
