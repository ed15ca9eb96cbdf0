/** Named pipes: read like streams, and let go of when the reading is ended while nobody writes. */
import { execFileSync, spawn } from 'node:child_process';
import { symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { arrowSource } from '../../../src/sources/arrow-source.ts';
import { csvSource, sniffCsv } from '../../../src/sources/csv-source.ts';
import { createJsonlSource, jsonlSource } from '../../../src/sources/jsonl-source.ts';
import { afterTest } from '../../support/after-test.ts';
import { openDescriptors, temporaryFolder } from '../../support/stages.ts';

/** A pipe, and what writes to it: a script of the shell with the pipe as `$0`. */
function makePipe(...scripts: string[]): string {
  const path = join(temporaryFolder(), 'pipe');
  execFileSync('sh', ['-c', 'mkfifo "$0"', path]);
  for (const script of scripts) write(path, script);
  return path;
}

function write(path: string, script: string): void {
  const writer = spawn('sh', ['-c', script, path], { stdio: 'ignore' });
  afterTest(() => void writer.kill());
}

describe.skipIf(process.platform === 'win32')('a named pipe', () => {
  it('is read as a stream by every source', async () => {
    const line = `echo '{"n":1}' > "$0"`;
    expect(await jsonlSource(makePipe(line)).toArray()).toEqual([{ n: 1 }]);
    const csv = `printf 'a,b\\n1,2\\n' > "$0"`;
    expect(await csvSource(makePipe(csv)).toArray()).toEqual([{ a: 1, b: 2 }]);
    expect(await sniffCsv(makePipe(csv))).toMatchObject({ columns: ['a', 'b'] });
    const refused = arrowSource(makePipe(csv)).toArray();
    await expect(refused).rejects.toMatchObject({ code: 'TRUNCATED_INPUT' });
    const zip = gzipSync('{"n":2}\n').toString('base64');
    const zipped = makePipe(`echo ${zip} | base64 -d > "$0"`);
    expect(await jsonlSource(zipped).toArray()).toEqual([{ n: 2 }]);
  });

  it('is one too where a pattern leads to it', async () => {
    const pipe = makePipe();
    const link = join(temporaryFolder(), 'link.jsonl');
    symlinkSync(pipe, link);
    const pattern = join(link, '../*.jsonl');
    const aborted = jsonlSource(pattern, { signal: AbortSignal.timeout(150) });
    await expect(aborted.toArray()).rejects.toMatchObject({ code: 'ABORTED' });
    write(pipe, `echo '{"n":1}' > "$0"`);
    expect(await jsonlSource(pattern).toArray()).toEqual([{ n: 1 }]);
  });

  it('waits for its writer, and gives what comes bit by bit', async () => {
    const late = makePipe(`sleep 0.2; exec > "$0"; printf '{"n"'; sleep 0.1; echo ':1}'`);
    expect(await jsonlSource(late).toArray()).toEqual([{ n: 1 }]);
    expect(await jsonlSource(makePipe(`sleep 0.2; : > "$0"`)).toArray()).toEqual([]);
  });

  it('gives more than a pipe holds, and goes on behind a cursor', async () => {
    const many = `seq 300000 | sed 's/.*/{"n":&}/' > "$0"`;
    const path = makePipe(many);
    const { signal } = new AbortController();
    let cursor: unknown;
    let count = 0;
    for await (const batch of createJsonlSource(path).batches(signal, {})) {
      cursor ??= batch.cursor;
      count += batch.length;
    }
    expect(count).toBe(300_000);
    write(path, many);
    let last: unknown;
    for await (const batch of createJsonlSource(path).batches(signal, {}, cursor)) {
      last = batch.documents().at(-1);
    }
    expect(last).toEqual({ n: 300_000 });
  });

  it.each([
    ['nobody writes to', []],
    ['a silent writer has', ['exec > "$0"; exec sleep 60']],
    ['a writer has that has gone silent', [`exec > "$0"; echo '{"n":1}'; exec sleep 60`]],
  ])(
    'that %s is closed by an abort, and by whoever leaves',
    async (_, scripts) => {
      const before = openDescriptors();
      for (const make of [jsonlSource, csvSource]) {
        const aborted = make(makePipe(...scripts), { signal: AbortSignal.timeout(150) });
        await expect(aborted.toArray()).rejects.toMatchObject({ code: 'ABORTED' });
        const left = make(makePipe(...scripts));
        left.resume();
        await sleep(100);
        const closed = new Promise((resolve) => left.once('close', resolve));
        left.destroy();
        await closed;
      }
      // A child's own, until it has ended.
      await expect.poll(openDescriptors, { timeout: 8000 }).toBeLessThanOrEqual(before);
    },
    12_000,
  );
});
