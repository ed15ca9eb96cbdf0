/** `zds pack`: a store into one archive file. After Ctrl-C or an error there is no new archive. */
import type { PackSummary } from '../../store/archive/options.ts';
import { pack } from '../../store/archive/pack.ts';
import { runArchive } from '../archive.ts';
import type { Command } from '../command.ts';
import { formatCount, formatDocuments, formatSeconds, formatSize } from '../text.ts';

export const packCommand: Command = {
  name: 'pack',
  summary: 'Pack a store into one .zds file (a ZIP archive), as its last commits left it.',
  usage: 'PATH FILE [--store] [--json]',
  positionals: [2, 2],
  options: {
    store: { help: 'do not compress: larger, faster, and readable in place' },
    json: { help: 'print the summary as one JSON object' },
  },
  whenStopped: ({ positionals }) => `${positionals[1]} was not written`,
  run(args, terminal) {
    const [path, file] = args.positionals as [string, string];
    const compression = args.flag('store') ? 'store' : 'deflate';
    return runArchive<PackSummary>(args, terminal, {
      label: 'pack',
      work: (options) => pack(path, file, { ...options, compression }),
      describe: (summary, seconds) =>
        `${formatDocuments(summary.documents)} in ${formatCount(summary.collections)} ` +
        `collection${summary.collections === 1 ? '' : 's'} to ${file}: ` +
        `${formatSize(summary.bytes)} as ${formatSize(summary.archiveBytes)} in ${formatSeconds(seconds)}`,
    });
  },
};
