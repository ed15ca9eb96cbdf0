/** pack and unpack on the command line, and the other commands on an archive. */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { Interrupt } from '../../../src/cli/interrupt.ts';
import { temporaryFolder, zds } from './harness.ts';

const folder = temporaryFolder();
const at = (name: string) => join(folder, name);
const people = '{"_id":"a","name":"Ann"}\n{"_id":"b","name":"Bob"}\n';

beforeAll(async () => {
  writeFileSync(at('people.jsonl'), people);
  await zds(['ingest', at('lake'), '-c', 'people', at('people.jsonl')]);
});

describe('pack and unpack', () => {
  it('name the place that was given, once, where it cannot be written', async () => {
    const place = at('missing/lake.zds');
    const reason = `ENOENT: no such file or directory, open '${place}'`;
    expect(await zds(['pack', at('lake'), place])).toMatchObject({
      code: 1,
      stderr: `${place}: cannot open: ${reason}\n`,
    });
  });

  it('say what they did', async () => {
    const packed = await zds(['pack', at('lake'), at('lake.zds')]);
    expect(packed).toMatchObject({ code: 0, stderr: '' });
    expect(packed.stdout).toMatch(/^2 documents in 1 collection to .*lake\.zds: .* as .* in .*\n$/);
    const unpacked = await zds(['unpack', at('lake.zds'), at('again')]);
    expect(unpacked).toMatchObject({ code: 0, stderr: '' });
    expect(unpacked.stdout).toMatch(/^\d+ files and folders to .*again: /);
    expect((await zds(['scan', at('again'), '-c', 'people', '--jsonl'])).stdout).toBe(people);
  });

  it('say it as JSON, and take options', async () => {
    const packed = await zds(['pack', at('lake'), at('stored.zds'), '--store', '--json']);
    expect(JSON.parse(packed.stdout)).toMatchObject({ documents: 2, collections: 1 });
    expect(readFileSync(at('stored.zds')).includes('"name":"Ann"')).toBe(true);
    const small = ['unpack', at('stored.zds'), at('small'), '--max-bytes', '10'];
    expect(await zds(small)).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/stored\.zds: .*more than maxBytes/),
    });
    const unpacked = await zds(['unpack', at('stored.zds'), at('json'), '--json']);
    expect(JSON.parse(unpacked.stdout)).toMatchObject({ path: at('json') });
    expect(existsSync(at('small'))).toBe(false);
  });

  it('leave nothing when they are stopped', async () => {
    const interrupt = new Interrupt();
    interrupt.request();
    for (const argv of [
      ['pack', at('lake'), at('stopped.zds')],
      ['unpack', at('stored.zds'), at('stopped')],
    ]) {
      expect(await zds(argv, { interrupt })).toMatchObject({
        code: 130,
        stderr: `stopped; ${argv[2]} was not written\n`,
      });
    }
    expect(readdirSync(folder).filter((name) => name.includes('stopped'))).toEqual([]);
  });
});

describe('an archive', () => {
  it('is read by the other commands', async () => {
    const file = at('stored.zds');
    expect((await zds(['list', file])).stdout).toBe('people\n');
    expect((await zds(['get', file, 'b', '-c', 'people'])).stdout).toBe(
      `${people.split('\n')[1]}\n`,
    );
    expect((await zds(['scan', file, '-c', 'people', '--jsonl'])).stdout).toBe(people);
    expect((await zds(['stats', file])).stdout).toMatch(/^people +2 +0 /m);
    expect((await zds(['export', file, '-c', 'people', '--to', '-'])).stdout).toBe(people);
  });

  it('is not written by them', async () => {
    const before = readFileSync(at('stored.zds'));
    for (const argv of [
      ['put', at('stored.zds'), 'c', '-c', 'people', '--data', '{}'],
      ['delete', at('stored.zds'), 'a', '-c', 'people'],
      ['ingest', at('stored.zds'), '-c', 'people', at('people.jsonl')],
      ['init', at('stored.zds'), '-c', 'people'],
    ]) {
      const { code, stderr } = await zds(argv, { stdin: people });
      expect([code, stderr], argv[0]).toEqual([1, expect.stringMatching(/can only be read/)]);
    }
    expect(readFileSync(at('stored.zds')).equals(before)).toBe(true);
    writeFileSync(at('text'), 'x');
    expect(await zds(['list', at('text')])).toMatchObject({ code: 1 });
  });
});
