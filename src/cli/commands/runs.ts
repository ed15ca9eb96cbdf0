/** `zds runs`: the history of the runs that wrote to a store's collections. */
import { EtlError } from '../../core/errors.ts';
import { ZdsRoot } from '../../store/root.ts';
import { listRuns, type RunRecord } from '../../store/run-log.ts';
import { type Command, collectionOption, countOption } from '../command.ts';
import { Table } from '../table.ts';
import { formatCount, formatSeconds } from '../text.ts';

const DEFAULT_LIMIT = 20;

export const runsCommand: Command = {
  name: 'runs',
  summary: 'Show the runs that wrote to a store, the newest last.',
  usage: 'PATH [-c NAME] [-l N] [--json]',
  positionals: [1, 1],
  options: {
    collection: collectionOption,
    limit: { short: 'l', value: 'N', help: `the newest N (default ${DEFAULT_LIMIT})` },
    json: { help: 'as JSON Lines' },
  },
  async run(args, { stdout }) {
    const root = await ZdsRoot.open(args.positionals[0]!, { mode: 'read' });
    const runs: RunRecord[] = [];
    try {
      const only = args.text('collection');
      const names = await root.collections();
      if (only !== undefined && !names.includes(only)) {
        throw new EtlError('COLLECTION_NOT_FOUND', `there is no collection ${only}`, {
          place: { path: root.path },
        });
      }
      for (const name of only === undefined ? names : [only]) {
        runs.push(...(await listRuns(root.path, name, root.disk)));
      }
    } finally {
      await root.close();
    }
    runs.sort((a, b) => (a.loadId < b.loadId ? -1 : 1));
    const limit = countOption(args, 'limit') ?? DEFAULT_LIMIT;
    const newest = runs.slice(Math.max(0, runs.length - limit));
    const table = args.flag('json') ? undefined : new Table(stdout);
    for (const each of newest) {
      if (table) await table.add(row(each));
      else await stdout.write(`${JSON.stringify(each)}\n`);
    }
    await table?.finish();
    return 0;
  },
};

function row(record: RunRecord): Record<string, string> {
  const { run, collection, startedAt, totals, error, loadId } = record;
  const count = (value: number | undefined) => (value === undefined ? '' : formatCount(value));
  return {
    started: startedAt,
    run,
    collection,
    outcome: totals?.outcome ?? 'under way or died',
    read: count(totals?.read),
    written: count(totals?.written),
    filtered: count(totals?.filtered),
    rejected: count(totals?.rejected),
    took: totals ? formatSeconds(totals.seconds) : '',
    'load id': loadId,
    error: error ?? '',
  };
}
