/** `zds delete`: removes one document. */
import { Layout, noSuchDocument } from '../../store/layout.ts';
import { type Command, collectionOption } from '../command.ts';
import { openForChange } from '../open.ts';

export const deleteCommand: Command = {
  name: 'delete',
  summary: 'Remove the document under an id.',
  usage: 'PATH ID -c NAME',
  positionals: [2, 2],
  options: { collection: collectionOption },
  required: ['collection'],
  async run(args) {
    const [path, id] = args.positionals as [string, string];
    const collection = args.text('collection')!;
    const store = await openForChange(path, collection, false);
    try {
      if (!store.delete(id)) throw noSuchDocument(id, Layout.dataFile(path, collection));
      await store.close();
    } finally {
      await store.abandon();
    }
    return 0;
  },
};
