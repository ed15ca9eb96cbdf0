/** `zds get`: prints one document on a line, its values byte for byte; `--pretty` indents it. */

import { prettyJson } from '../../core/pretty-json.ts';
import { openCollection } from '../../store/open-reading.ts';
import { type Command, collectionOption } from '../command.ts';

export const getCommand: Command = {
  name: 'get',
  summary: 'Print the document under an id.',
  usage: 'PATH ID -c NAME [--pretty]',
  positionals: [2, 2],
  options: {
    collection: collectionOption,
    pretty: { help: 'over several lines, indented' },
  },
  required: ['collection'],
  async run(args, { stdout }) {
    const [path, id] = args.positionals as [string, string];
    const store = await openCollection(path, args.text('collection')!);
    try {
      const text = Buffer.from(store.getRaw(id)).toString();
      await stdout.write(`${args.flag('pretty') ? prettyJson(text) : text}\n`);
    } finally {
      await store.close();
    }
    return 0;
  },
};
