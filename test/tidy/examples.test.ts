/** The examples run against the built package, and the README shows what they do. */
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { gzipSync } from 'node:zlib';
import { afterAll, describe, expect, it } from 'vitest';
import { readText, root } from './project.ts';

describe.skipIf(!existsSync(join(root, 'dist/index.js')))('examples', () => {
  const folder = mkdtempSync(join(tmpdir(), 'zds-examples-'));
  cpSync(join(root, 'examples/events.jsonl'), join(folder, 'examples/events.jsonl'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const run = (name: string) =>
    execFileSync(process.execPath, [join(root, 'examples', name)], { cwd: folder }).toString();
  const runBlock = (page: string, having: RegExp) => {
    const blocks = [...readText(page).matchAll(/```[jt]s\n([\s\S]*?)```/g)].map((f) => f[1]!);
    const [code] = blocks.filter((block) => having.test(block));
    const here = code!.replace(/'zds-stream(\/\w+)?'/g, (_, part: string = '') =>
      JSON.stringify(pathToFileURL(join(root, `dist${part}/index.js`))),
    );
    const args = ['--input-type=module', '--eval', here];
    return execFileSync(process.execPath, args, { cwd: folder }).toString();
  };

  it('pipeline.mjs is the code of the README and prints what it says', () => {
    const readme = readText('README.md');
    const [code, output] = [...readme.matchAll(/```(?:js)?\n([\s\S]*?)```/g)].map((f) => f[1]!);
    const example = readText('examples/pipeline.mjs');
    expect(example.slice(example.indexOf('import'))).toBe(code);
    expect(run('pipeline.mjs')).toBe(output);
    expect(existsSync(join(folder, 'pushes.arrow'))).toBe(true);
  });

  it('store.mjs is the code of the guide and prints what its comments say', () => {
    const [, code] = /```js\n([\s\S]*?)```/.exec(readText('docs/guide/store.md'))!;
    const example = readText('examples/store.mjs');
    expect(example.slice(example.indexOf('import'))).toBe(code);
    const said = [...code!.matchAll(/console\.log.* \/\/ (.*)/g)].map((found) => found[1]);
    expect(run('store.mjs').trimEnd().split('\n')).toEqual(said);
  });

  it('custom-source.mjs is the code of the guide, and keeps to the contract', () => {
    const code = /const squares = [\s\S]*?\n\}\);\n/;
    const [written] = code.exec(readText('examples/custom-source.mjs'))!;
    expect(code.exec(readText('docs/guide/own-stages.md'))![0]).toBe(written);
    const [first, ...checks] = run('custom-source.mjs').trimEnd().split('\n').slice(2);
    expect(JSON.parse(first!)).toEqual({ n: 2, square: 4 });
    expect(checks.length).toBeGreaterThan(4);
    for (const check of checks) expect(check).toMatch(/^ok: /);
  });

  it('the transform and the sink of the guide run, and count what they write', () => {
    const out = runBlock('docs/guide/own-stages.md', /transformStage/);
    expect(out).toBe('{ documents: 3 }\n');
    const lines = readFileSync(join(folder, 'words.jsonl'), 'utf8');
    expect(lines).toBe('{"word":"to"}\n{"word":"be"}\n{"word":"not"}\n');
  });

  it('what the guide says of Arrow files runs, and gives the summary it names', () => {
    const flights = [10, 70, 90].map((delay) => ({ delay, distance: 100 }));
    const lines = flights.map((each) => `${JSON.stringify(each)}\n`).join('');
    writeFileSync(join(folder, 'events.jsonl.gz'), gzipSync(lines));
    const page = 'docs/guide/arrow.md';
    const said = /sink\.summary\); \/\/ \{ (.*) \}/.exec(readText(page))![1]!;
    const summary = runBlock(page, /arrowSink\('events/);
    const top = [...summary.matchAll(/^ {2}(\w+):/gm)].map((found) => found[1]);
    expect(top).toEqual(said.split(', '));
    cpSync(join(folder, 'events.arrow'), join(folder, 'flights.arrow'));
    runBlock(page, /arrowSource/);
    const stored = readFileSync(join(folder, 'lake/collections/flights/meta/data.jsonl'), 'utf8');
    expect(stored.trimEnd().split('\n')).toHaveLength(2);
  });

  it('custom-transform.mjs runs', () => {
    const lines = run('custom-transform.mjs').trimEnd().split('\n');
    expect(lines.map((line) => JSON.parse(line))).toEqual([
      { id: 'e1', who: 'ada', commits: 3, busy: true },
      { id: 'e3', who: 'eve', commits: 1, busy: false },
    ]);
  });
});
