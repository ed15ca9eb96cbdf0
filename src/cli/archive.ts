/** What `zds pack` and `zds unpack` have in common: progress, Ctrl-C, and the summary. */
import type { ArchiveOptions, ArchiveProgress } from '../store/index.ts';
import type { Arguments, Terminal } from './command.ts';
import { Progress } from './progress.ts';

/** One of the two. */
export interface ArchiveWork<T extends object> {
  readonly label: string;
  readonly work: (options: ArchiveOptions) => Promise<T>;
  readonly describe: (summary: T, seconds: number) => string;
}

/** Runs it; answers the exit code. Errors: those of the work. */
export async function runArchive<T extends object>(
  args: Arguments,
  { stdout, stderr, interrupt }: Terminal,
  { label, work, describe }: ArchiveWork<T>,
): Promise<number> {
  const start = performance.now();
  let progress: Progress | undefined;
  let last = { entries: 0, bytes: 0 };
  const onProgress = ({ entries, bytes, totalBytes }: ArchiveProgress): void => {
    progress ??= new Progress(stderr, label, totalBytes, undefined, 'files');
    progress.add(entries - last.entries, bytes - last.bytes);
    last = { entries, bytes };
  };
  try {
    const summary = await work({ onProgress, signal: interrupt.signal });
    progress?.clear();
    const seconds = (performance.now() - start) / 1000;
    const line = args.flag('json')
      ? JSON.stringify({ ...summary, seconds: Number(seconds.toFixed(3)) })
      : describe(summary, seconds);
    await stdout.write(`${line}\n`);
    return 0;
  } finally {
    progress?.clear();
  }
}
