/** `zds delete`: removes one document. */
import { EtlError } from '../../core/errors.ts';
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
    const store = await openForChange(path, args.text('collection')!, false);
    try {
      if (!store.delete(id)) {
        throw new EtlError('DOCUMENT_NOT_FOUND', `no document ${JSON.stringify(id)}`);
      }
      await store.close();
    } finally {
      await store.abandon();
    }
    return 0;
  },
};
