/** `zds scan`: documents in their order, as a table or as JSON Lines (then no object is made). */
import { parsePath } from '../../core/path.ts';
import { openCollection } from '../../store/open-reading.ts';
import { type Command, collectionOption, countOption } from '../command.ts';
import { untilInterrupt } from '../interrupt.ts';
import { selectionOf } from '../selection.ts';
import { Table } from '../table.ts';

export const scanCommand: Command = {
  name: 'scan',
  summary: 'Print the documents of a collection, in their order.',
  usage: 'PATH -c NAME [-l N] [--offset N] [--fields a,b] [--where EXPR] [--jsonl]',
  positionals: [1, 1],
  options: {
    collection: collectionOption,
    limit: { short: 'l', value: 'N', help: 'at most N documents' },
    offset: { value: 'N', help: 'pass over the first N' },
    fields: { value: 'a,b.c', help: 'only these fields' },
    where: { value: 'EXPR', help: "only these documents: score > 90 and source = 'web'" },
    jsonl: { help: 'as JSON Lines instead of a table' },
  },
  required: ['collection'],
  async run(args, { stdout, stderr, interrupt }) {
    const options = selectionOf(args);
    const limit = countOption(args, 'limit');
    const offset = countOption(args, 'offset');
    const store = await openCollection(args.positionals[0]!, args.text('collection')!);
    try {
      const table = args.flag('jsonl')
        ? undefined
        : new Table(stdout, options.select?.map(parsePath));
      const scan = store.scan({ ...options, limit, offset });
      for await (const batch of untilInterrupt(scan.batches(), interrupt)) {
        if (table) for (const document of batch.documents()) await table.add(document);
        else await stdout.write(batch.bytes());
        if (stdout.closed) return 0;
      }
      const hidden = (await table?.finish()) ?? [];
      if (hidden.length > 0)
        stderr.write(`fields not shown (see --fields): ${hidden.join(', ')}\n`);
    } finally {
      await store.close();
    }
    return interrupt.requested ? 130 : 0;
  },
};
