/** The options that say where ids come from, for commands that write documents. */
import type { IdOptions } from '../store/index.ts';
import type { Arguments, OptionSpec } from './command.ts';

/** To be spread into a command's options. */
export const idOptions: Readonly<Record<string, OptionSpec>> = {
  'id-field': { value: 'FIELD', help: 'the field that holds the id (default _id)' },
  'generate-ids': { help: 'make ids for documents without one' },
};

/** The options as a store takes them. */
export function idsOf(args: Arguments): IdOptions {
  const idField = args.text('id-field');
  return {
    ...(idField === undefined ? {} : { idField }),
    ...(args.flag('generate-ids') ? { generateIds: true } : {}),
  };
}
