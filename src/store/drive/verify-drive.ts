/** Checking every record of a drive, replaced ones and deletions included, against its checksum. */

import { setImmediate } from 'node:timers/promises';
import { checkSignal } from '../../core/abort.ts';
import type { FileView } from '../../io/index.ts';
import { RecordReader } from './chain.ts';

const MAX_NAMED = 100;
const TURN_BYTES = 16 << 20;

/** A record whose payload is not what was written. */
export interface DamagedRecord {
  /** Where the payload begins and ends in the file. */
  readonly start: number;
  readonly end: number;
}

/** What `DataStore.verify` found. */
export interface DriveVerifyReport {
  readonly ok: boolean;
  /** Records in the file: entries, replaced ones, deletions. */
  readonly records: number;
  readonly tombstones: number;
  /** Records with a wrong checksum. */
  readonly damaged: number;
  /** The first hundred of them, from the end of the file. */
  readonly places: readonly DamagedRecord[];
}

/** Reads all of it, from the end; lets others work every 16 MiB. */
export async function verifyChain(
  view: FileView,
  tail: number,
  signal?: AbortSignal,
): Promise<DriveVerifyReport> {
  const reader = new RecordReader(view);
  const places: DamagedRecord[] = [];
  let records = 0;
  let tombstones = 0;
  let damaged = 0;
  let turn = tail;
  for (let at = tail; at > 0; ) {
    const record = reader.at(at);
    // Chains were whole when the drive was opened: what is not now has been written over.
    const whole = record !== undefined && reader.isWhole(record);
    if (!(whole instanceof Promise ? await whole : whole)) {
      damaged++;
      const { start, end } = record ?? { start: 0, end: at };
      if (places.length < MAX_NAMED) places.push({ start, end });
    }
    if (record === undefined) break;
    records++;
    if (record.tombstone) tombstones++;
    at = record.before;
    if (turn - at > TURN_BYTES) {
      turn = at;
      await setImmediate();
      checkSignal(signal, 'stopped');
    }
  }
  return { ok: damaged === 0, records, tombstones, damaged, places };
}
