import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { Interrupt } from '../../../src/cli/interrupt.ts';
import { nativeSupport } from '../../../src/io/index.ts';
import { root } from '../../tidy/project.ts';
import { temporaryFolder, zds } from './harness.ts';

const folder = temporaryFolder();
const at = (name: string) => join(folder, name);

describe('zds drive', () => {
  it('writes, reads, renames, copies, deletes', async () => {
    const path = at('d');
    expect(await zds(['drive', 'write', path, 'a'], { stdin: 'from stdin' })).toMatchObject({
      code: 0,
    });
    await zds(['drive', 'write', path, 'b', '--data', 'given']);
    expect(await zds(['drive', 'read', path, 'a'])).toEqual({
      code: 0,
      stdout: 'from stdin',
      stderr: '',
    });
    expect((await zds(['drive', 'rename', path, 'a', 'c'])).code).toBe(0);
    const gone = await zds(['drive', 'read', path, 'a']);
    expect(gone.code).toBe(1);
    expect(gone.stderr).toContain('no entry "a"');
    expect((await zds(['drive', 'copy', path, 'b', at('e')])).code).toBe(0);
    expect((await zds(['drive', 'copy', path, 'c', at('e'), '--move'])).code).toBe(0);
    expect((await zds(['drive', 'read', at('e'), 'c'])).stdout).toBe('from stdin');
    expect((await zds(['drive', 'delete', path, 'b'])).code).toBe(0);
    expect((await zds(['drive', 'ls', path])).stdout).toBe('');
    const list = (await zds(['drive', 'ls', at('e'), '--json'])).stdout.trimEnd().split('\n');
    expect(list.map((line) => JSON.parse(line).size)).toEqual([10, 5]);
    expect(JSON.parse((await zds(['drive', 'compact', path, '--json'])).stdout)).toMatchObject({
      entries: 0,
      bytesAfter: 0,
    });
  });

  it('tells and checks', async () => {
    const path = at('v');
    await zds(['drive', 'write', path, 'a', '--data', 'x'.repeat(100)]);
    const info = JSON.parse((await zds(['drive', 'info', path, '--json'])).stdout);
    expect(info).toMatchObject({ entries: 1, bytes: 120, savings: 0 });
    expect((await zds(['drive', 'info', path])).stdout).toContain('120 bytes');
    expect((await zds(['drive', 'verify', path])).code).toBe(0);
    appendFileSync(path, 'torn');
    const { code, stderr } = await zds(['drive', 'verify', path]);
    expect(code).toBe(1);
    expect(stderr).toContain('4 bytes behind the last whole record');
  });

  it('tells of a list that Ctrl-C cut', async () => {
    const interrupt = new Interrupt();
    interrupt.request();
    await zds(['drive', 'write', at('list'), 'a', '--data', 'x']);
    const cut = await zds(['drive', 'ls', at('list')], { interrupt });
    expect(cut).toEqual({ code: 130, stdout: '', stderr: '' });
  });

  it('leaves the drive as it was when Ctrl-C stops a compaction', async () => {
    const path = join(at('stopped'), 'd');
    mkdirSync(at('stopped'));
    await zds(['drive', 'write', path, 'a', '--data', 'old']);
    await zds(['drive', 'write', path, 'a', '--data', 'new']);
    const before = readFileSync(path);
    const interrupt = new Interrupt();
    interrupt.request();
    expect(await zds(['drive', 'compact', path], { interrupt })).toEqual({
      code: 130,
      stdout: '',
      stderr: 'stopped; nothing was changed\n',
    });
    expect(readFileSync(path)).toEqual(before);
    expect(readdirSync(at('stopped'))).toEqual(['d']);
    expect((await zds(['drive', 'compact', path])).code).toBe(0);
    expect((await zds(['drive', 'read', path, 'a'])).stdout).toBe('new');
  });

  it('stores nothing of a standard input that is silent at Ctrl-C, or ends by it', async () => {
    const path = at('half');
    for (const ends of [false, true]) {
      const [stdin, interrupt] = [new PassThrough(), new Interrupt()];
      stdin.write('half');
      const done = zds(['drive', 'write', path, 'k'], { stdin, interrupt });
      await expect.poll(() => stdin.readableLength).toBe(0);
      interrupt.request();
      if (ends) stdin.end();
      expect(await done).toMatchObject({ code: 130, stderr: 'stopped; nothing was changed\n' });
    }
    expect((await zds(['drive', 'ls', path])).stdout).toBe('');
  });

  it('leaves nothing beside the drive where there was nothing to write', async () => {
    mkdirSync(at('aside'));
    const path = join(at('aside'), 'd');
    await zds(['drive', 'write', path, 'a', '--data', 'x']);
    expect((await zds(['drive', 'write', path, 'b'])).code).toBe(2);
    expect(readdirSync(at('aside'))).toEqual(['d']);
    expect((await zds(['drive', 'read', path, 'a'])).stdout).toBe('x');
  });

  it.skipIf(process.platform !== 'linux')('names a file that it cannot import', async () => {
    const at = temporaryFolder();
    const importing = () => zds(['drive', 'import', join(at, 'i'), join(at, 'files')]);
    mkdirSync(join(at, 'files'));
    const latin = Buffer.concat([Buffer.from(join(at, 'files/caf')), Buffer.of(0xe9)]);
    writeFileSync(latin, 'x');
    expect((await importing()).stderr).toMatch(
      /files\/caf\ufffd: its name is not UTF-8.*rename it/,
    );
    rmSync(latin);
    symlinkSync('/proc/self/mem', join(at, 'files', 'unreadable'));
    expect((await importing()).stderr).toMatch(/files\/unreadable: cannot be read.*EIO/);
  });

  it('imports a folder, and says what it cannot hold', async () => {
    mkdirSync(at('files/deep'), { recursive: true });
    writeFileSync(at('files/a'), 'A');
    writeFileSync(at('files/deep/b'), 'B');
    writeFileSync(at('files/empty'), '');
    const { stdout, stderr } = await zds(['drive', 'import', at('i'), at('files'), '--json']);
    expect(JSON.parse(stdout)).toEqual({ files: ['a', 'deep/b'], skipped: ['empty'] });
    expect(stderr).toContain('empty: left out');
    expect((await zds(['drive', 'read', at('i'), 'deep/b'])).stdout).toBe('B');
  });

  it('carries any bytes through a process', () => {
    const bytes = Buffer.from(Array.from({ length: 70_000 }, (_, i) => (i * 7) & 255));
    const program = join(root, 'dist/cli/main.js');
    execFileSync('node', [program, 'drive', 'write', at('bin'), 'k'], { input: bytes });
    const back = execFileSync('node', [program, 'drive', 'read', at('bin'), 'k']);
    expect(back.equals(bytes)).toBe(true);
  });

  it('helps', async () => {
    expect((await zds(['drive', 'copy', '--help'])).stdout).toContain('zds drive copy PATH KEY');
    expect((await zds(['help', 'drive', 'copy'])).stdout).toContain('zds drive copy PATH KEY');
    expect((await zds(['drive'])).code).toBe(2);
    expect((await zds(['drive', 'write', at('x')])).code).toBe(2);
    const missing = await zds(['drive', 'read', at('nothing'), 'k']);
    expect(missing.stderr).toContain('there is no such file');
  });
});

describe('zds doctor', () => {
  it('says which ways are in use', async () => {
    const facts = JSON.parse((await zds(['doctor', '--json'])).stdout);
    expect(facts.reads.startsWith('memory maps')).toBe(nativeSupport());
    expect((await zds(['doctor'])).stdout).toContain('kernels');
  });
});
