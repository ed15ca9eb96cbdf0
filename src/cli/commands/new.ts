/** `zds new`: a starter project that runs as it is. */
import { readdir, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { basename, join, relative, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { EtlError } from '../../core/errors.ts';
import { nodeDisk } from '../../io/index.ts';
import type { Command } from '../command.ts';

export const newCommand: Command = {
  name: 'new',
  summary: 'Make a starter project: package.json, pipeline.yaml, sample data, README.',
  usage: 'DIR',
  positionals: [1, 1],
  options: {},
  async run(args, { stdout }) {
    const folder = args.positionals[0]!;
    const place = { path: folder };
    if (((await nodeDisk.stat(folder))?.kind ?? 'folder') !== 'folder') {
      throw new EtlError('INVALID_ARGUMENT', 'is no folder', { place });
    }
    const there = await readdir(folder).catch(() => []);
    if (there.length > 0) throw new EtlError('INVALID_ARGUMENT', 'is not empty', { place });
    await nodeDisk.mkdir(join(folder, 'data'));
    for (const [name, text] of Object.entries(projectFiles(resolve(folder)))) {
      // What has come there meanwhile stays.
      await writeFile(join(folder, name), text, { flag: 'wx' });
    }
    await stdout.write(`made ${folder}; to run it:\n  cd ${folder} && npm install && npm start\n`);
    return 0;
  },
};

/**
 * What the project asks npm for. A package that npm installed is there by its version; a checkout may not
 * have been published, and is taken as it lies there.
 */
function ownPackage(folder: string): string {
  const home = fileURLToPath(new URL('../../..', import.meta.url));
  if (home.includes(`${sep}node_modules${sep}`)) {
    const manifest = createRequire(import.meta.url)(join(home, 'package.json'));
    return `^${(manifest as { version: string }).version}`;
  }
  return `file:${relative(folder, home).replaceAll(sep, '/')}`;
}

function projectFiles(folder: string): Record<string, string> {
  const name =
    basename(folder)
      .toLowerCase()
      .replace(/[^a-z0-9._-]+/g, '-')
      .replace(/^[._-]+/, '') || 'etl';
  const manifest = {
    name,
    private: true,
    type: 'module',
    scripts: {
      start: 'zds run pipeline.yaml',
      lint: 'zds lint pipeline.yaml',
      try: 'zds run pipeline.yaml --dry-run',
    },
    dependencies: { 'zds-stream': ownPackage(folder) },
  };
  return {
    'package.json': `${JSON.stringify(manifest, undefined, 2)}\n`,
    'pipeline.yaml': PIPELINE,
    'enrich.mjs': ENRICH,
    'data/orders.csv': ORDERS,
    'README.md': README,
    '.gitignore': 'node_modules/\nlake/\n*.rejects.jsonl\n',
  };
}

const PIPELINE = `# yaml-language-server: $schema=./node_modules/zds-stream/docs/pipeline.schema.json
name: orders
source:
  type: csv
  path: \${ORDERS:-data/orders.csv}
transforms:
  - type: filter
    where: amount > 0
  - type: map
    path: ./enrich.mjs
    export: enrich
sink:
  type: zds
  root: lake
  collection: orders
  idField: order
onError:
  deadLetter: orders.rejects.jsonl
`;

const ENRICH = `// Every document passes through here; what is returned goes on.
export const enrich = (order) => ({ ...order, large: order.amount >= 100 });
`;

const ORDERS = `order,day,customer,amount,currency
o-1001,2024-03-01,Ada,120.50,EUR
o-1002,2024-03-01,"Bell, Inc.",80,EUR
o-1003,2024-03-02,Cy,0,EUR
o-1004,2024-03-02,Ada,310.00,CHF
o-1005,2024-03-03,"Dee ""D"" Ray",19.99,EUR
`;

const README = `# A pipeline

    npm install
    npm run lint     # check pipeline.yaml
    npm run try      # show what it would write
    npm start        # do it

Then look at what came of it:

    npx zds scan lake -c orders
    npx zds scan lake -c orders --where "amount > 100"
    npx zds convert lake#orders orders.arrow

\`pipeline.yaml\` says what is read, what happens to it and where it goes; \`enrich.mjs\` is a function
of your own in the middle. The package's docs/stages.md lists all stages with their options.
`;
