/** `--where` and `--fields`: which documents a command is about, and what of them. */
import { EtlError } from '../core/errors.ts';
import { parseExpression } from '../core/expression.ts';
import type { ScanOptions } from '../store/index.ts';
import type { Arguments } from './command.ts';

/** What `--where` and `--fields` ask for. Errors: INVALID_EXPRESSION, INVALID_ARGUMENT. */
export function selectionOf(args: Arguments): Pick<ScanOptions, 'where'> & { select?: string[] } {
  const where = args.text('where');
  const select = fieldsOption(args);
  return {
    ...(where === undefined ? {} : { where: parseExpression(where) }),
    ...(select === undefined ? {} : { select }),
  };
}

/** `a,b.c` as paths; a backslash keeps a comma in a name. Undefined when the option is absent. */
export function fieldsOption(args: Arguments, name = 'fields'): string[] | undefined {
  const text = args.text(name);
  if (text === undefined) return undefined;
  const pieces = [...text.matchAll(/((?:\\.|[^,])*)(?:,|$)/gs)];
  // The last match is the empty one behind the text.
  const fields = pieces.slice(0, -1).map((piece) => piece[1]!.trim());
  if (fields.length > 0 && fields.every((field) => field !== '')) return fields;
  throw new EtlError('INVALID_ARGUMENT', `--${name} takes names between commas: a,b.c`);
}
