/** `zds lint`: everything that is wrong with pipeline files, without running them. */
import { EtlError, formatPlace, isEtlError } from '../../core/errors.ts';
import { lintPipeline, pipelineJsonSchema } from '../../pipeline-file/index.ts';
import type { Command } from '../command.ts';

export const lintCommand: Command = {
  name: 'lint',
  summary: 'Check pipeline files; exit code 1 where something is wrong.',
  usage: 'FILE… [--json] | --schema',
  positionals: [0, Number.POSITIVE_INFINITY],
  options: {
    schema: { help: 'print the JSON Schema of pipeline files, for editors' },
    json: { help: 'a finding per line, as JSON' },
  },
  async run(args, { stdout }) {
    if (args.flag('schema')) {
      await stdout.write(`${JSON.stringify(pipelineJsonSchema(), undefined, 2)}\n`);
      return 0;
    }
    if (args.positionals.length === 0) {
      throw new EtlError('INVALID_ARGUMENT', 'name a file, or ask for --schema');
    }
    let found = 0;
    for (const file of args.positionals) {
      for (const { place, problem } of await lintOne(file)) {
        found++;
        const line = args.flag('json')
          ? JSON.stringify({ ...place, problem })
          : `${formatPlace(place)}: ${problem}`;
        await stdout.write(`${line}\n`);
      }
    }
    return found === 0 ? 0 : 1;
  },
};

/** What is wrong with a file; one that cannot be read keeps the others from nothing. */
async function lintOne(path: string): ReturnType<typeof lintPipeline> {
  try {
    return await lintPipeline(path);
  } catch (error) {
    if (!isEtlError(error, 'IO_ERROR')) throw error;
    return [{ place: { path }, problem: error.reason }];
  }
}
