/**
 * What a command of `zds` is, and how its arguments are read: declared once, as data, from which
 * parsing and help are made. A wrong use is INVALID_ARGUMENT (exit code 2) and names the way out.
 */
import type { Readable, Writable } from 'node:stream';
import { type ParseArgsConfig, parseArgs } from 'node:util';
import { EtlError } from '../core/errors.ts';
import { parseSize } from '../core/size.ts';
import type { Interrupt } from './interrupt.ts';
import type { Output } from './output.ts';

/** An option: a flag, or with `value` (its name in the help) a text. */
export interface OptionSpec {
  readonly short?: string;
  readonly value?: string;
  readonly help: string;
}

/** Everything a command touches outside its arguments. */
export interface Terminal {
  readonly stdin: Readable;
  readonly stdout: Output;
  readonly stderr: Writable & { readonly isTTY?: boolean; readonly columns?: number };
  readonly interrupt: Interrupt;
}

/** The arguments of one call. */
export interface Arguments {
  readonly positionals: readonly string[];
  /** The text of an option, undefined when it was not given. */
  text(name: string): string | undefined;
  flag(name: string): boolean;
}

export interface Command {
  readonly name: string;
  /** One line for the list of commands. */
  readonly summary: string;
  /** What follows `zds NAME`. */
  readonly usage: string;
  /** Fewest and most positionals. */
  readonly positionals: readonly [least: number, most: number];
  readonly options: Readonly<Record<string, OptionSpec>>;
  /** Names of options that must be given. */
  readonly required?: readonly string[];
  /** What is told when Ctrl-C has ended the work with ABORTED. Default: `nothing was changed`. */
  whenStopped?(args: Arguments): string;
  /** The exit code; 0 when everything asked was done. */
  run(args: Arguments, terminal: Terminal): Promise<number>;
}

/** Options that every command has. */
export const commonOptions: Readonly<Record<string, OptionSpec>> = {
  help: { short: 'h', help: 'show this help' },
  debug: { help: 'show the stack of an error' },
};

/** The option that names the collection. */
export const collectionOption: OptionSpec = { short: 'c', value: 'NAME', help: 'the collection' };

/** Reads the arguments of a command. Errors: INVALID_ARGUMENT. */
export function parseArguments(command: Command, argv: readonly string[]): Arguments {
  const { values, positionals } = parseStrictly(command, argv);
  const flag = (name: string) => values[name] === true;
  const text = (name: string) => values[name] as string | undefined;
  if (!flag('help')) {
    const [least, most] = command.positionals;
    if (positionals.length < least) throw usageError(command, 'an argument is missing');
    if (positionals.length > most) {
      throw usageError(command, `unexpected argument ${JSON.stringify(positionals[most])}`);
    }
    for (const name of command.required ?? []) {
      if (text(name) === undefined) throw usageError(command, `--${name} is missing`);
    }
  }
  return { positionals, text, flag };
}

/** The help of a command. */
export function commandHelp(command: Command): string {
  const lines = Object.entries({ ...command.options, ...commonOptions }).map(([name, spec]) => {
    const short = spec.short ? `-${spec.short}, ` : '    ';
    const value = spec.value ? ` ${spec.value}` : '';
    return `  ${`${short}--${name}${value}`.padEnd(28)} ${spec.help}`;
  });
  return `${command.summary}\n\nusage: zds ${command.name} ${command.usage}\n\n${lines.join('\n')}\n`;
}

/** A whole number given as text, or the default. Errors: INVALID_ARGUMENT. */
export function countOption(args: Arguments, name: string): number | undefined {
  const text = args.text(name);
  if (text === undefined) return undefined;
  const value = Number(text);
  if (/^\d+$/.test(text) && Number.isSafeInteger(value)) return value;
  throw new EtlError('INVALID_ARGUMENT', `--${name} takes a whole number, not ${text}`);
}

/** A size such as `1048576`, `32MiB` or `1.5 GB`, in bytes. Errors: INVALID_ARGUMENT. */
export function bytesOption(args: Arguments, name: string): number | undefined {
  const text = args.text(name);
  if (text === undefined) return undefined;
  const bytes = parseSize(text);
  if (bytes !== undefined) return bytes;
  throw new EtlError('INVALID_ARGUMENT', `--${name} takes a size such as 32MiB, not ${text}`);
}

function parseStrictly(command: Command, argv: readonly string[]) {
  const options: NonNullable<ParseArgsConfig['options']> = {};
  for (const [name, spec] of Object.entries({ ...command.options, ...commonOptions })) {
    const type = spec.value === undefined ? 'boolean' : 'string';
    options[name] = spec.short ? { type, short: spec.short } : { type };
  }
  try {
    return parseArgs({ args: [...argv], options, allowPositionals: true, strict: true });
  } catch (error) {
    throw usageError(command, (error as Error).message.split(/\. |\n/)[0]!);
  }
}

function usageError(command: Command, problem: string): EtlError {
  const usage = `zds ${command.name} ${command.usage}`;
  return new EtlError('INVALID_ARGUMENT', `${problem}; usage: ${usage}`);
}
