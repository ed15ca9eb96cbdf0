/** ARCHITECTURE.md's layer table is the single truth; the imports of `src` are held against it. */
import { builtinModules } from 'node:module';
import { posix } from 'node:path';
import { describe, expect, it } from 'vitest';
import { listFiles, readText } from './project.ts';

interface Import {
  readonly file: string;
  readonly target: string;
}

describe('the layer table', () => {
  const layers = readLayers(readText('ARCHITECTURE.md'));
  const files = listFiles('src', /\.ts$/).filter((file) => !file.startsWith('src/kernels/wasm/'));

  it('names every folder of src', () => {
    const folders = new Set(files.map(folderOf).filter((folder) => folder !== ''));
    expect([...layers.keys()].sort()).toEqual(expect.arrayContaining([...folders].sort()));
  });

  it('is kept by every import', () => {
    const broken = files.flatMap(importsOf).filter((found) => !isAllowed(layers, found));
    expect(broken.map(({ file, target }) => `${file} imports ${target}`)).toEqual([]);
  });

  it('catches a broken rule', () => {
    const across = { file: 'src/core/batch.ts', target: '../store/index.ts' };
    const upwards = { file: 'src/store/layout.ts', target: '../sinks/zds-sink.ts' };
    const main = { file: 'src/io/disk.ts', target: '../index.ts' };
    for (const found of [across, upwards, main]) expect(isAllowed(layers, found)).toBe(false);
    const fine = { file: 'src/sinks/zds-sink.ts', target: '../store/index.ts' };
    expect(isAllowed(layers, fine)).toBe(true);
  });

  it('keeps Node out of what runs in a browser', () => {
    const sentence = /^(.*) import no Node builtin\.$/m.exec(readText('ARCHITECTURE.md'))![1]!;
    const safe = [...sentence.matchAll(/`(\w+)`/g)].map((found) => found[1]!);
    expect(safe).toContain('core');
    const found = files.filter((file) => safe.includes(folderOf(file))).flatMap(nodeUses);
    expect(found).toEqual([]);
  });
});

/** Folder name to the names of the folders it may import. */
function readLayers(page: string): Map<string, ReadonlySet<string>> {
  const layers = new Map<string, ReadonlySet<string>>();
  const rows = [...page.matchAll(/^\| (`src\/[^|]+) \| ([^|]+) \|/gm)];
  for (const [, names, rule] of rows) {
    const folders = [...names!.matchAll(/`src\/([\w-]+)`/g)].map((found) => found[1]!);
    const above = [...layers.keys()];
    const every = rows.flatMap((row) =>
      [...row[1]!.matchAll(/`src\/([\w-]+)`/g)].map((f) => f[1]!),
    );
    for (const folder of folders) layers.set(folder, allowedBy(rule!.trim(), above, every));
  }
  return layers;
}

function allowedBy(rule: string, above: string[], every: string[]): ReadonlySet<string> {
  if (rule === '-') return new Set();
  if (rule === 'everything above') return new Set(above);
  if (rule === 'everything') return new Set([...every, '']);
  return new Set(rule.split(/,\s*/));
}

function isAllowed(layers: ReadonlyMap<string, ReadonlySet<string>>, found: Import): boolean {
  const from = folderOf(found.file);
  if (from === '' || !found.target.startsWith('.')) return true;
  const to = folderOf(posix.join(posix.dirname(found.file), found.target));
  return from === to || layers.get(from)?.has(to) === true;
}

function importsOf(file: string): Import[] {
  const text = readText(file);
  const found = text.matchAll(/(?:\bfrom|^import|\bimport\()\s*['"]([^'"\n]+)['"]/gm);
  return [...found].map((match) => ({ file, target: match[1]! }));
}

/** The folder below src; empty for files directly in it. */
function folderOf(file: string): string {
  return file.split('/').length > 2 ? file.split('/')[1]! : '';
}

function nodeUses(file: string): string[] {
  const builtins = importsOf(file).map(({ target }) => target);
  const modules = builtins.filter((target) => {
    return target.startsWith('node:') || builtinModules.includes(target);
  });
  const code = readText(file).replace(/\/\*[\s\S]*?\*\/|\/\/.*$|'[^'\n]*'|`[^`]*`/gm, '');
  const globals = [...code.matchAll(/(?<![.\w$])(Buffer|process|__dirname)(?=[.(\s])(?!\s*[:?])/g)];
  // What is taken from globalThis by name was looked for first.
  const guarded = [...code.matchAll(/\{\s*(\w+)\s*\}\s*=\s*globalThis/g)].map((found) => found[1]!);
  const unguarded = globals.map((found) => found[1]!).filter((name) => !guarded.includes(name));
  return [...modules, ...unguarded].map((use) => `${file} uses ${use}`);
}
