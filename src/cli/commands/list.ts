/** `zds list`: the names of a store's collections, one a line. */
import { ZdsRoot } from '../../store/root.ts';
import type { Command } from '../command.ts';

export const listCommand: Command = {
  name: 'list',
  summary: 'List the collections of a store.',
  usage: 'PATH [--json]',
  positionals: [1, 1],
  options: { json: { help: 'as a JSON array' } },
  async run(args, { stdout }) {
    const root = await ZdsRoot.open(args.positionals[0]!, { mode: 'read' });
    try {
      const names = await root.collections();
      const text = args.flag('json')
        ? `${JSON.stringify(names)}\n`
        : names.map((name) => `${name}\n`).join('');
      await stdout.write(text);
    } finally {
      await root.close();
    }
    return 0;
  },
};
