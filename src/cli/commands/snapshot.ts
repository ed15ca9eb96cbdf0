/** `zds snapshot`: columns of a collection as Arrow buffers beside it, for `table` and for scans with a predicate. */
import { FastStore } from '../../store/fast-store.ts';
import { type Command, collectionOption } from '../command.ts';
import { fieldsOption, selectionOf } from '../selection.ts';
import { formatCount, formatSeconds, formatSize } from '../text.ts';

export const snapshotCommand: Command = {
  name: 'snapshot',
  summary:
    'Write columns of a collection beside it, so that tables and scans need not read documents.',
  usage: 'PATH -c NAME [--columns a,b.c] [--where EXPR] [--json]',
  positionals: [1, 1],
  options: {
    collection: collectionOption,
    columns: { value: 'A,B.C', help: 'these fields; those of the last snapshot, or all' },
    where: { value: 'EXPR', help: 'only documents that this holds for' },
    json: { help: 'as one JSON object' },
  },
  required: ['collection'],
  whenStopped: () => 'what was there of a snapshot stays',
  async run(args, { stdout, interrupt }) {
    const store = await FastStore.open(args.positionals[0]!, args.text('collection')!, {
      mode: 'read',
    });
    try {
      const { where } = selectionOf(args);
      const columns = fieldsOption(args, 'columns');
      const report = await store.snapshot({ columns, where, signal: interrupt.signal });
      const { rows, rowsWritten, bytes, seconds } = report;
      const text =
        `${formatCount(rows)} rows of ${formatCount(report.columns.length)} columns, ` +
        `${formatCount(rowsWritten)} written, ${formatSize(bytes)}, in ${formatSeconds(seconds)}`;
      await stdout.write(`${args.flag('json') ? JSON.stringify(report) : text}\n`);
    } finally {
      await store.close();
    }
    return 0;
  },
};
