/** Whether a sink of one file is asked for a folder of files, and the options that only those have. */
import { EtlError } from '../core/errors.ts';
import type { FolderOptions, PartitionOptions } from './partitioned.ts';

/**
 * Whether a sink is to write a folder of files. Errors: INVALID_ARGUMENT for options of a folder where
 * none is asked for: `existing: 'append'` must not replace a file.
 */
export function asksForFolder<O extends PartitionOptions>(
  sink: string,
  options: O,
): options is O & FolderOptions {
  if (options.partitionBy !== undefined || options.rotate !== undefined) return true;
  refuseFolder(sink, options);
  return false;
}

/** For a sink of one file. Errors: INVALID_ARGUMENT for options of a folder. */
export function refuseFolder(sink: string, options: object): void {
  const name = Object.keys(FOLDER_OPTIONS).find((key) => Reflect.get(options, key) !== undefined);
  if (name === undefined) return;
  const reason = `${sink}: ${name} is for a folder of files, and this writes one file`;
  throw new EtlError('INVALID_ARGUMENT', reason);
}

const FOLDER_OPTIONS: Record<keyof PartitionOptions, true> = {
  partitionBy: true,
  rotate: true,
  maxOpenFiles: true,
  maxFiles: true,
  publish: true,
  existing: true,
};

/** The target of a sink that is to write many files. Errors: INVALID_ARGUMENT for a stream. */
export function folderOf(sink: string, target: unknown): string {
  if (typeof target === 'string' && target !== '-') return target;
  throw new EtlError('INVALID_ARGUMENT', `${sink}: partitionBy and rotate need a folder`);
}
