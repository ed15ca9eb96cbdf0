/** `zds init`: makes a store, and a collection in it. Harmless where they are already. */
import { FastStore } from '../../store/fast-store.ts';
import { type Command, collectionOption } from '../command.ts';

export const initCommand: Command = {
  name: 'init',
  summary: 'Make a store with a collection in it.',
  usage: 'PATH -c NAME',
  positionals: [1, 1],
  options: { collection: collectionOption },
  required: ['collection'],
  async run(args, { stdout }) {
    const name = args.text('collection')!;
    const store = await FastStore.open(args.positionals[0]!, name);
    await store.close();
    await stdout.write(`collection ${name} in ${args.positionals[0]} is ready\n`);
    return 0;
  },
};
