/** Six times the limit of data leaves memory flat. */
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { createGzip } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import type { HttpSourceOptions } from '../../../src/sources/http-source.ts';
import { httpSource } from '../../../src/sources/http-source.ts';
import { heldBuffers } from '../../support/garbage.ts';
import { serve } from '../../support/http-server.ts';

const LIMIT = 7 << 20;
const line = `{"n":1,"pad":"${'x'.repeat(2000)}"}`;
const block = Buffer.from(`${line}\n`.repeat(500));
const elements = Buffer.from(`${line},\n`.repeat(500));
const blocks = Math.ceil((6 * LIMIT) / block.length);

async function write(response: ServerResponse, form: string): Promise<void> {
  const out = form === 'gzip' ? createGzip({ level: 1 }) : response;
  if (form === 'gzip') out.pipe(response);
  if (form === 'json') response.write('[');
  for (let i = 0; i < blocks; i++) {
    if (!out.write(form === 'json' ? elements : block)) await once(out, 'drain');
  }
  out.end(form === 'json' ? '{"n":1}]' : '');
}

describe('memory of sources', () => {
  it.each([
    ['lines', {}],
    ['json', { format: 'json' }],
    ['gzip', {}],
  ] as [string, HttpSourceOptions][])('stays flat: %s', async (form, options) => {
    const { base } = await serve((_, response) => void write(response, form));
    let count = 0;
    // What other tests of this process have left is not the source's.
    const before = heldBuffers();
    let most = before;
    let batches = 0;
    for await (const batch of httpSource(base, options).batches()) {
      count += batch.length;
      if (batches++ % 32 === 0) most = Math.max(most, heldBuffers());
    }
    expect(count).toBe(blocks * 500 + (form === 'json' ? 1 : 0));
    expect(most - before).toBeLessThan(LIMIT);
  });
});
