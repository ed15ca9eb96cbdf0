/** Runs in a process of their own: the memory they take, and how the process ends. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { built, builtModule } from '../../support/lives.ts';

const program = (code: string) =>
  spawnSync(process.execPath, ['--input-type=module', '-e', code], { encoding: 'utf8' });

/**
 * Batches of 1 MiB into a slow sink; prints the most memory ever taken, in MiB. What `getrusage` tells will
 * not do: it begins with what the parent process has.
 */
const flood = (batches: number) => `
  import { readFileSync } from 'node:fs';
  import { Writable } from 'node:stream';
  import { decodeJsonl } from ${builtModule('formats/index')};
  import { run } from ${builtModule('pipeline/index')};
  import { jsonlSink } from ${builtModule('sinks/jsonl-sink')};
  const line = JSON.stringify({ _id: 'x', pad: 'y'.repeat(1000) }) + '\\n';
  const piece = Buffer.from(line.repeat(1000));
  const source = {
    name: 'flood',
    async *batches() {
      for (let i = 0; i < ${batches}; i++) yield* decodeJsonl([new Uint8Array(piece)]);
    },
  };
  const slow = new Writable({ write: (chunk, encoding, callback) => setImmediate(callback) });
  const { bytes } = await run({ name: 'x', source, sink: jsonlSink(slow), maxMemory: 4 << 20 });
  if (bytes < ${batches} * piece.length) throw new Error('too few');
  console.log(/VmHWM:\\s+(\\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))[1] / 1024);
`;

describe.skipIf(!existsSync(built))('a run in a process of its own', () => {
  const hasStatus = existsSync('/proc/self/status');
  it.skipIf(!hasStatus)(
    'takes no more memory for a hundred times its limit',
    () => {
      const few = Number(program(flood(40)).stdout);
      const many = Number(program(flood(400)).stdout);
      expect(few).toBeGreaterThan(10);
      // Garbage that was not collected yet comes on top of what is held.
      expect(many - few).toBeLessThan(100);
    },
    60_000,
  );

  it('does not end well while a stage waits for nothing', { timeout: 60_000 }, () => {
    const { status, stderr } = program(`
      import { run } from ${builtModule('pipeline/index')};
      const sink = { name: 'never', open: () => new Promise(() => {}), abort: async () => {} };
      const source = { name: 'none', async *batches() {} };
      run({ name: 'x', source, sink }).done.catch((error) => console.error(error.code));
    `);
    expect(status).toBe(1);
    expect(stderr).toBe('INTERNAL\n');
  });

  it('ends with a failure that nobody handled', { timeout: 60_000 }, () => {
    const { status, stderr } = program(`
      import { run } from ${builtModule('pipeline/index')};
      import { jsonlSink } from ${builtModule('sinks/jsonl-sink')};
      import { jsonlSource } from ${builtModule('sources/jsonl-source')};
      run({ name: 'x', source: jsonlSource('/nowhere.jsonl'), sink: jsonlSink('-') });
    `);
    expect(status).toBe(1);
    expect(stderr).toContain('/nowhere.jsonl');
  });
});
