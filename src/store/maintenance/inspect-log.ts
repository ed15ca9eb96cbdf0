/**
 * A commit log read to its end whatever is in it: every line with a right sum counts, the others are
 * findings. Opening is stricter: it stops at the first bad line.
 */
import type { DiskFile } from '../../io/disk.ts';
import type { Kernel } from '../../kernels/index.ts';
import { type CommitRecord, decodeRecord, type LogRecord, mayFollowTorn } from '../commit-log.ts';
import { type LogState, takeRecord } from '../log-state.ts';
import { readPieces } from '../pieces.ts';
import type { Findings } from './findings.ts';

/** What a log says, damaged lines passed over. */
export interface LogReading extends LogState {
  /** Valid records, in order. */
  readonly records: LogRecord[];
  /** Deletes of all commits that the checkpoint's index.bin knows. */
  earlier: (readonly [string, number])[];
  /** Lines that say nothing because they are torn or damaged. */
  badLines: number;
}

/** Reads all of it. */
export async function inspectLog(
  file: DiskFile | undefined,
  kernel: Kernel,
  findings: Findings,
): Promise<LogReading> {
  const reading: LogReading = {
    last: undefined,
    commit: undefined,
    checkpoint: undefined,
    deletes: [],
    earlier: [],
    records: [],
    badLines: 0,
  };
  if (file === undefined) return reading;
  const { path } = file;
  let bad: number[] = [];
  let number = 0;
  const settle = (record: LogRecord | undefined): void => {
    for (const line of bad) {
      // A crash tears the last line, and may tear the last but one when both were written at once.
      const torn = record === undefined || mayFollowTorn(record, reading.commit?.seq ?? 0);
      const text = torn ? 'an unfinished line of the log' : 'a damaged line of the log';
      findings.add(torn ? 'notice' : 'damage', 'CORRUPTED_DATA', { path, line }, text);
    }
    bad = [];
  };
  for await (const { bytes } of readPieces(file, 0, await file.size())) {
    for (let start = 0; start < bytes.length; ) {
      const found = bytes.indexOf(10, start);
      const stop = found < 0 ? bytes.length : found;
      number++;
      const record = found < 0 ? undefined : decodeRecord(bytes.subarray(start, stop), kernel);
      start = stop + 1;
      if (record === undefined) {
        reading.badLines++;
        bad.push(number);
        continue;
      }
      settle(record);
      checkOrder(reading, record, path, number, findings);
      if (record.op === 'checkpoint') reading.earlier.push(...reading.deletes);
      takeRecord(reading, record);
      reading.records.push(record);
    }
  }
  settle(undefined);
  return reading;
}

/** The commits of a reading, in order. */
export function commitsOf(reading: LogReading): CommitRecord[] {
  return reading.records.filter((record) => record.op === 'commit');
}

function checkOrder(
  { commit, last }: LogReading,
  record: LogRecord,
  path: string,
  line: number,
  findings: Findings,
): void {
  if (last !== undefined && record.end < last.end) {
    const text = `the log goes back from byte ${last.end} to ${record.end}`;
    findings.add('damage', 'CORRUPTED_DATA', { path, line }, text);
  }
  if (record.op === 'commit' && commit !== undefined && record.seq !== commit.seq + 1) {
    const text = `commit ${record.seq} follows commit ${commit.seq}`;
    findings.add('damage', 'CORRUPTED_DATA', { path, line }, text);
  }
}
