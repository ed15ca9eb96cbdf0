/** `zds delete`: removes one document. */
import { FastStore } from '../../store/fast-store.ts';
import { Layout, noSuchDocument } from '../../store/layout.ts';
import { type Command, collectionOption } from '../command.ts';
import { openForEdit } from '../open.ts';

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
    const store = await openForEdit(path, collection, false);
    try {
      const place = store instanceof FastStore ? Layout.dataFile : Layout.docsDir;
      if (!(await store.delete(id))) throw noSuchDocument(id, place(path, collection));
      await store.close();
    } finally {
      await store.abandon();
    }
    return 0;
  },
};
