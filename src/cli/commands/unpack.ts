/** `zds unpack`: an archive into a folder. After Ctrl-C or an error there is no folder. */
import type { UnpackSummary } from '../../store/archive/options.ts';
import { unpack } from '../../store/archive/unpack.ts';
import { runArchive } from '../archive.ts';
import { bytesOption, type Command, countOption } from '../command.ts';
import { formatCount, formatSeconds, formatSize } from '../text.ts';

export const unpackCommand: Command = {
  name: 'unpack',
  summary: 'Unpack a .zds file into a new or empty folder.',
  usage: 'FILE PATH [--max-bytes SIZE] [--max-entries N] [--max-ratio N] [--json]',
  positionals: [2, 2],
  options: {
    'max-bytes': { value: 'SIZE', help: 'refuse archives of more contents (default 64GiB)' },
    'max-entries': { value: 'N', help: 'refuse archives of more files (default 1000000)' },
    'max-ratio': { value: 'N', help: 'refuse files that grow more than N times (default 200)' },
    json: { help: 'print the summary as one JSON object' },
  },
  whenStopped: ({ positionals }) => `${positionals[1]} was not written`,
  run(args, terminal) {
    const [file, path] = args.positionals as [string, string];
    const limits = {
      maxBytes: bytesOption(args, 'max-bytes'),
      maxEntries: countOption(args, 'max-entries'),
      maxRatio: countOption(args, 'max-ratio'),
    };
    return runArchive<UnpackSummary>(args, terminal, {
      label: 'unpack',
      work: (options) => unpack(file, path, { ...options, ...limits }),
      describe: (summary, seconds) =>
        `${formatCount(summary.entries)} files and folders to ${path}: ` +
        `${formatSize(summary.bytes)} in ${formatSeconds(seconds)}`,
    });
  },
};
