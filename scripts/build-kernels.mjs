// Compiles the AssemblyScript kernels to WebAssembly SIMD and embeds the module as base64 in a
// TypeScript file, so that bundlers and browsers need no file path. Skips the work when the output
// is newer than every source.
import { mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import asc from 'assemblyscript/asc';

const root = fileURLToPath(new URL('..', import.meta.url));
const sourceDir = join(root, 'src/kernels/wasm');
const outDir = join(root, 'src/kernels/generated');
const modules = ['lines', 'index', 'drive', 'csv', 'rows', 'hash'];

mkdirSync(outDir, { recursive: true });
const newestSource = Math.max(
  statSync(fileURLToPath(import.meta.url)).mtimeMs,
  ...readdirSync(sourceDir).map((name) => statSync(join(sourceDir, name)).mtimeMs),
);

for (const name of modules) {
  const target = join(outDir, `${name}-module.ts`);
  if ((statSync(target, { throwIfNoEntry: false })?.mtimeMs ?? 0) > newestSource) continue;
  const outFile = `${name}.wasm`;
  let binary;
  const { error, stderr } = await asc
    .main(
      [
        `${name}.ts`,
        '--baseDir',
        sourceDir,
        '--outFile',
        outFile,
        '--runtime',
        'stub',
        '--enable',
        'simd',
        '--noAssert',
        '--optimizeLevel',
        '3',
        '--shrinkLevel',
        '0',
        '--converge',
        '--use',
        'abort=',
        '--importMemory',
      ],
      {
        writeFile: (file, contents) => {
          if (file === outFile) binary = contents;
        },
      },
    )
    .then((result) => ({ ...result, stderr: result.stderr.toString() }));
  if (error || !binary) {
    process.stderr.write(`${stderr}\n${error?.stack ?? `no output for ${name}`}\n`);
    process.exit(1);
  }
  const base64 = Buffer.from(binary).toString('base64');
  writeFileSync(
    target,
    `/** WebAssembly module "${name}", ${binary.length} bytes, made by scripts/build-kernels.mjs. */\n` +
      `export const ${name}Module: string =\n  '${base64}';\n`,
  );
}
