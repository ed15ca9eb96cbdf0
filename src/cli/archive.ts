/** What `zds pack` and `zds unpack` have in common: progress, Ctrl-C, and the summary. */
import { isEtlError } from '../core/errors.ts';
import type { ArchiveOptions, ArchiveProgress } from '../store/index.ts';
import type { Arguments, Terminal } from './command.ts';
import { Progress } from './progress.ts';

/** One of the two. */
export interface ArchiveWork<T extends object> {
  readonly label: string;
  /** What is not there after Ctrl-C. */
  readonly notWritten: string;
  readonly work: (options: ArchiveOptions) => Promise<T>;
  readonly describe: (summary: T, seconds: number) => string;
}

/** Runs it; answers the exit code. Errors: those of the work. */
export async function runArchive<T extends object>(
  args: Arguments,
  { stdout, stderr, interrupt }: Terminal,
  { label, notWritten, work, describe }: ArchiveWork<T>,
): Promise<number> {
  const controller = new AbortController();
  const start = performance.now();
  let progress: Progress | undefined;
  let last = { entries: 0, bytes: 0 };
  const onProgress = ({ entries, bytes, totalBytes }: ArchiveProgress): void => {
    progress ??= new Progress(stderr, label, totalBytes, undefined, 'files');
    progress.add(entries - last.entries, bytes - last.bytes);
    last = { entries, bytes };
  };
  if (interrupt.requested) controller.abort();
  const running = work({ onProgress, signal: controller.signal }).catch((error: unknown) => {
    if (isEtlError(error, 'ABORTED')) return undefined;
    throw error;
  });
  try {
    let summary = await interrupt.orWish(running);
    if (summary === undefined) {
      controller.abort();
      // It may have come to its end all the same.
      summary = await running;
    }
    progress?.clear();
    if (summary === undefined) {
      stderr.write(`stopped; ${notWritten} was not written\n`);
      return 130;
    }
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
