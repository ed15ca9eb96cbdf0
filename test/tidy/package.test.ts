/** What package.json promises, and what the documents may not do. */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { listFiles, readText, root } from './project.ts';

const manifest = JSON.parse(readText('package.json')) as {
  bin: Record<string, string>;
  exports: Record<string, string | Record<string, string>>;
  files: string[];
  dependencies: Record<string, string>;
  optionalDependencies: Record<string, string>;
  devDependencies: Record<string, string>;
};

describe('package.json', () => {
  it('points at files that the build makes', () => {
    const targets = [...Object.values(manifest.bin), ...Object.values(manifest.exports)]
      .flatMap((entry) => (typeof entry === 'string' ? [entry] : Object.values(entry)))
      .filter((target) => target.startsWith('./dist/'));
    const sources = targets.map((target) => {
      return target.replace('./dist/', 'src/').replace(/(\.d)?\.[tj]s$/, '.ts');
    });
    expect(sources.length).toBeGreaterThan(10);
    expect(sources.filter((file) => !existsSync(join(root, file)))).toEqual([]);
  });

  it('ships files that exist', () => {
    const shipped = manifest.files.filter((file) => file !== 'dist');
    expect(shipped.filter((file) => !existsSync(join(root, file)))).toEqual([]);
  });

  it.skipIf(!existsSync(join(root, 'dist')))(
    'names no maps, whose sources it does not ship',
    () => {
      const built = ['dist/index.js', 'dist/index.d.ts'];
      expect(built.filter((file) => readText(file).includes('sourceMappingURL'))).toEqual([]);
    },
  );

  it('has every dependency explained in docs/dependencies.md', () => {
    const page = readText('docs/dependencies.md');
    const names = Object.keys({
      ...manifest.dependencies,
      ...manifest.optionalDependencies,
      ...manifest.devDependencies,
    });
    expect(names.filter((name) => !page.includes(`| \`${name}\` |`))).toEqual([]);
  });

  it('and the sources agree that nothing is unused', { timeout: 60_000 }, () => {
    let report = '';
    try {
      execFileSync('node', ['node_modules/knip/bin/knip.js', '--no-progress'], { cwd: root });
    } catch (error) {
      report = String((error as { stdout: Buffer }).stdout);
    }
    expect(report).toBe('');
  });
});

describe('documents', () => {
  it('README.md has at most 120 lines', () => {
    expect(readText('README.md').trimEnd().split('\n').length).toBeLessThanOrEqual(120);
  });

  it('link to files that exist and are shipped', () => {
    const isShipped = (target: string) =>
      manifest.files.some((file) => target === file || target.startsWith(`${file}/`));
    const pages = ['README.md', 'ARCHITECTURE.md', 'CHANGELOG.md', ...listFiles('docs', /\.md$/)];
    const broken = pages.flatMap((page) => {
      const prose = readText(page).replace(/```[\s\S]*?```|`[^`\n]*`/g, '');
      const links = [...prose.matchAll(/\]\((?!https?:|#)([^)#\s]+)/g)];
      return links
        .map((link) => join(page, '..', link[1]!))
        .filter((target) => !existsSync(join(root, target)) || !isShipped(target))
        .map((target) => `${page}: ${target}`);
    });
    expect(broken).toEqual([]);
  });
});
