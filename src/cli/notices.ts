/** What a run tells of itself while it goes on, as far as somebody has to know it: lines on standard error. */
import type { Logger } from '../pipeline/index.ts';

/** A logger for runs that passes on what transforms forget, and what is tried again. */
export function noticesTo(write: (line: string) => void): Logger {
  return {
    debug: () => {},
    info: () => {},
    warn: (fields) => {
      const line = describeNotice(fields as NoticeFields);
      if (line !== undefined) write(line);
    },
    error: () => {},
  };
}

interface NoticeFields {
  readonly dropped?: readonly string[];
  readonly attempt?: number;
  readonly waitMs?: number;
  readonly error?: string;
}

function describeNotice({ dropped, attempt, waitMs = 0, error }: NoticeFields): string | undefined {
  if (dropped) {
    const names = dropped.map((name) => JSON.stringify(name)).join(', ');
    return `forgets what transforms remembered that are no longer there: ${names}`;
  }
  if (attempt === undefined) return undefined;
  return `${error}; trying again in ${(waitMs / 1000).toFixed(1)} s (attempt ${attempt + 1})`;
}
