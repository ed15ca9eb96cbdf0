/** `zds stats`: how much is in a store's collections, as its last commit left them, and what is in their columns. */

import type { ColumnSummary } from '../../arrow/index.ts';
import { isEtlError } from '../../core/errors.ts';
import { openCollection, type ReadingCollection } from '../../store/open-reading.ts';
import type { StoreInfo } from '../../store/options.ts';
import { ZdsRoot } from '../../store/root.ts';
import { type Command, collectionOption } from '../command.ts';
import { Table } from '../table.ts';
import { cutText, formatCount, formatSize, formatValue } from '../text.ts';

const BARS = ' ▁▂▃▄▅▆▇█';
/** Characters of a text bound. */
const SHOWN = 12;

export const statsCommand: Command = {
  name: 'stats',
  summary: 'Show how much the collections hold.',
  usage: 'PATH [-c NAME] [--columns] [--json]',
  positionals: [1, 1],
  options: {
    collection: collectionOption,
    columns: { help: 'counts, nulls, bounds, mean, different values and spread of each column' },
    json: { help: 'as one JSON object' },
  },
  async run(args, { stdout, interrupt }) {
    const root = await ZdsRoot.open(args.positionals[0]!, { mode: 'read' });
    const infos: (StoreInfo & { readonly columns?: readonly ColumnSummary[] })[] = [];
    try {
      const only = args.text('collection');
      for (const name of only === undefined ? await root.collections() : [only]) {
        const store = await openCollection(root, name).catch((error: unknown) => {
          // A folder without documents: `zds validate` tells what it is.
          if (only === undefined && isEtlError(error, 'COLLECTION_NOT_FOUND')) return undefined;
          throw error;
        });
        if (!store) continue;
        const columns = args.flag('columns')
          ? { columns: await describe(store, interrupt.signal) }
          : {};
        infos.push({ ...store.info(), ...columns });
        await store.close();
      }
    } finally {
      await root.close();
    }
    if (args.flag('json')) {
      const collections = infos.map((info) => ({ ...summarise(info), columns: info.columns }));
      const text = JSON.stringify({ path: root.path, collections }, writeIntegers);
      await stdout.write(`${text}\n`);
      return 0;
    }
    const table = new Table(stdout);
    for (const info of infos) await table.add(row(info));
    await table.finish();
    for (const { collection, columns } of infos) {
      if (columns === undefined) continue;
      await stdout.write(`\n${formatValue(collection)}\n`);
      const described = new Table(stdout);
      for (const column of columns) await described.add(columnRow(column));
      const hidden = await described.finish();
      if (hidden.length > 0) await stdout.write(`(not shown: ${hidden.join(', ')})\n`);
    }
    return 0;
  },
};

/** Reads the documents twice: for the fields of all, then for their values. */
async function describe(store: ReadingCollection, signal: AbortSignal): Promise<ColumnSummary[]> {
  const scan = store.scan({ signal });
  const found = await scan.fields();
  if (!found || found.fields.length === 0) return [];
  const { describeColumns, inferSchema, recordBatches } = await import('../../arrow/index.ts');
  return describeColumns(recordBatches(scan, { schema: inferSchema(found.fields).columns }));
}

/** JSON has no 64-bit integers: what a number cannot hold is text. */
function writeIntegers(_: string, value: unknown): unknown {
  if (typeof value !== 'bigint') return value;
  return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
}

function columnRow(column: ColumnSummary): Record<string, string> {
  const { name, type, count, nulls, distinct, min, mean, max, histogram } = column;
  return {
    column: name,
    values: formatCount(count),
    nulls: formatCount(nulls),
    different: distinct === undefined ? '' : formatCount(distinct),
    min: formatBound(min),
    mean: formatBound(mean),
    max: formatBound(max),
    spread: drawBars(histogram?.counts ?? []),
    type,
  };
}

function formatBound(value: ColumnSummary['min']): string {
  if (typeof value === 'number') return String(Number(value.toPrecision(6)));
  return value === undefined ? '' : cutText(formatValue(String(value)), SHOWN);
}

/** A bar for each range, as high as its share of the fullest; what holds anything is seen. */
function drawBars(counts: readonly number[]): string {
  const most = Math.max(...counts);
  const bars = counts.map((count) => BARS[Math.ceil((count / most) * (BARS.length - 1))]);
  return bars.join('');
}

function summarise({ collection, documents, lines, dataBytes, indexBytes, commit }: StoreInfo) {
  return { collection, documents, lines, dataBytes, indexBytes, commit };
}

function row(info: StoreInfo): Record<string, string> {
  return {
    collection: info.collection,
    documents: formatCount(info.documents),
    'dead lines': formatCount(info.lines - info.documents),
    data: formatSize(info.dataBytes),
    'index in memory': info.indexBytes === 0 ? 'not needed' : formatSize(info.indexBytes),
    commits: formatCount(info.commit?.seq ?? 0),
    'last commit': info.commit?.at ?? '',
  };
}
