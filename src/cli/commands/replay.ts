/** `zds replay`: the records of a dead-letter file once more into a collection. */
import { type Logger, replayRecords, run } from '../../pipeline/index.ts';
import { zdsSink } from '../../sinks/zds-sink.ts';
import { streamInput } from '../../sources/byte-input.ts';
import { createJsonlSource } from '../../sources/jsonl-source.ts';
import { type Command, collectionOption } from '../command.ts';
import { idOptions, idsOf } from '../ids.ts';
import { keepApart, limitsOf, runHere, runOptions } from '../run-here.ts';
import { formatCount, formatDocuments } from '../text.ts';

export const replayCommand: Command = {
  name: 'replay',
  summary: 'Read the records of a dead-letter file into a collection.',
  usage: 'DEADLETTER.jsonl PATH -c NAME [--rejects FILE] [--id-field F] [--json]',
  positionals: [2, 2],
  options: {
    collection: collectionOption,
    ...idOptions,
    rejects: { value: 'FILE', help: 'where records go that are still bad (default: stop)' },
    ...runOptions,
    json: { help: 'print the summary as one JSON object' },
  },
  required: ['collection'],
  async run(args, terminal) {
    const [file, path] = args.positionals as [string, string];
    const collection = args.text('collection')!;
    const rejects = args.text('rejects');
    const onError = rejects === undefined ? 'stop' : { deadLetter: rejects };
    await keepApart(onError, file, 'read');
    const letters = createJsonlSource(file);
    const { signal } = new AbortController();
    const records = streamInput(`records of ${file}`, () => replayRecords(letters, signal), false);
    const start = (logger: Logger) =>
      run({
        logger,
        name: 'replay',
        source: createJsonlSource([records]),
        sink: zdsSink(path, collection, idsOf(args)),
        onError,
        ...limitsOf(args),
      });
    const store = { path, collection };
    const place = { label: 'replay', total: undefined, args, terminal, store };
    const { sink, rejected, deadLetter, outcome, read } = await runHere(start, place);
    // They are merged: a stop has a summary of the sink too.
    const { documents, replaced } = sink!;
    if (args.flag('json')) {
      const summary = { collection, read, documents, replaced, rejected, rejects: deadLetter };
      await terminal.stdout.write(`${JSON.stringify(summary)}\n`);
    } else {
      await terminal.stdout.write(`${formatDocuments(documents)} into ${collection}\n`);
      if (deadLetter) {
        await terminal.stdout.write(`${formatCount(rejected)} still bad, in ${deadLetter}\n`);
      }
    }
    return outcome === 'done' ? 0 : 130;
  },
};
