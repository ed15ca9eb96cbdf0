/** `zds stats`: how much is in a store's collections, as its last commit left them. */
import { type StoreInfo, ZdsRoot } from '../../store/index.ts';
import { type Command, collectionOption } from '../command.ts';
import { Table } from '../table.ts';
import { formatCount, formatSize } from '../text.ts';

export const statsCommand: Command = {
  name: 'stats',
  summary: 'Show how much the collections hold.',
  usage: 'PATH [-c NAME] [--json]',
  positionals: [1, 1],
  options: { collection: collectionOption, json: { help: 'as one JSON object' } },
  async run(args, { stdout }) {
    const root = await ZdsRoot.open(args.positionals[0]!, { mode: 'read' });
    const infos: StoreInfo[] = [];
    try {
      const only = args.text('collection');
      for (const name of only === undefined ? await root.collections() : [only]) {
        const store = await root.collection(name, { mode: 'read' });
        infos.push(store.info());
        await store.close();
      }
    } finally {
      await root.close();
    }
    if (args.flag('json')) {
      const collections = infos.map(summarise);
      await stdout.write(`${JSON.stringify({ path: root.path, collections })}\n`);
      return 0;
    }
    const table = new Table(stdout);
    for (const info of infos) await table.add(row(info));
    await table.finish();
    return 0;
  },
};

function summarise({ collection, documents, lines, dataBytes, indexBytes, commit }: StoreInfo) {
  return { collection, documents, lines, dataBytes, indexBytes, commit };
}

function row(info: StoreInfo): Record<string, string> {
  return {
    collection: info.collection,
    documents: formatCount(info.documents),
    'dead lines': formatCount(info.lines - info.documents),
    data: formatSize(info.dataBytes),
    'index in memory': formatSize(info.indexBytes),
    commits: formatCount(info.commit?.seq ?? 0),
    'last commit': info.commit?.at ?? '',
  };
}
