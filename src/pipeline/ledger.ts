/**
 * What a run counts, per stage and in all. Counts are taken on both sides of every stage boundary and
 * held against each other, and against what the sink says it wrote, so that a document that is lost
 * between two stages, or written twice, ends the run with an error instead of a wrong summary.
 */
import type { Batch } from '../core/batch.ts';
import { EtlError } from '../core/errors.ts';
import type { RunCounts } from '../core/run-info.ts';
import type { RunProgress } from './options.ts';
import { type StageMark, setBack } from './position.ts';

/** The counts of one stage: in + expanded = out + filtered + rejected. */
export interface StageCounts {
  readonly name: string;
  /** Documents taken; for a source also the bad records it met. */
  readonly in: number;
  /** Documents given on; for a sink those it wrote. */
  readonly out: number;
  readonly rejected: number;
  readonly filtered: number;
  readonly expanded: number;
  /**
   * Bytes given on (taken, for a sink), of the batches that travelled as bytes; of CSV that a source made
   * objects of, those of the CSV.
   */
  readonly bytes: number;
  /** Time spent in this stage; a source's is the time it was waited for. */
  readonly seconds: number;
}

/** The same while it is counted. */
export type OpenCounts = { -readonly [K in keyof StageCounts]: StageCounts[K] };

/** How much a source has told of beside its batches. */
export interface SourceTold {
  readonly rejected: number;
  readonly passed: number;
}

export class Ledger {
  readonly source: OpenCounts;
  readonly transforms: readonly OpenCounts[];
  readonly sink: OpenCounts;
  /** Records that went to the policy for bad ones; counted there, apart from the stages. */
  rejected = 0;
  #passed = 0;
  readonly #started = performance.now();

  constructor(source: string, transforms: readonly string[], sink: string) {
    this.source = newCounts(source);
    this.transforms = transforms.map(newCounts);
    this.sink = newCounts(sink);
  }

  get seconds(): number {
    return (performance.now() - this.#started) / 1000;
  }

  get stages(): readonly StageCounts[] {
    return [this.source, ...this.transforms, this.sink].map((counts) => ({ ...counts }));
  }

  get counts(): RunCounts {
    const { source, transforms, sink } = this;
    const sum = (field: 'filtered' | 'expanded') =>
      transforms.reduce((total, stage) => total + stage[field], sink[field]);
    return {
      read: source.in,
      written: sink.out,
      filtered: sum('filtered'),
      rejected: this.rejected,
      expanded: sum('expanded'),
    };
  }

  /** What a run says of itself on the way, but for its names. */
  get progress(): Omit<RunProgress, 'name' | 'loadId'> {
    const { counts, seconds, stages, source } = this;
    return { ...counts, bytes: source.bytes, seconds, stages };
  }

  /** Counts a stage's bad record. */
  reject(counts: OpenCounts, count = 1): void {
    counts.rejected += count;
    this.rejected += count;
  }

  /** Goes back to what was counted at a position; to nothing without marks. */
  setBack(marks: readonly StageMark[]): void {
    const stages = [this.source, ...this.transforms, this.sink];
    for (const [i, counts] of stages.entries()) setBack(counts, marks[i]);
    this.rejected = stages.reduce((sum, { rejected }) => sum + rejected, 0);
  }

  /** What the source has told of beside its batches: bad records, and documents that it left out. */
  get told(): SourceTold {
    return { rejected: this.source.rejected, passed: this.#passed };
  }

  /** Takes back what the source has told since, which is read again. */
  takeBack({ rejected, passed }: SourceTold): void {
    const again = rejected - this.source.rejected;
    this.reject(this.source, again);
    this.source.in += again;
    if (passed !== this.#passed) this.passOver(passed - this.#passed);
  }

  /** Counts a batch that the source gave. */
  read(batch: Batch): void {
    this.source.in += batch.length;
    this.source.out += batch.length;
    this.source.bytes += readBytesOf(batch);
  }

  /** Counts documents that the source left out in place of the first transform. */
  passOver(count: number): void {
    const [filter] = this.transforms;
    this.#passed += count;
    this.source.in += count;
    this.source.out += count;
    filter!.in += count;
    filter!.filtered += count;
  }

  /**
   * What the sink says it wrote (its summary's `documents`; `filtered` if it passes over some), or
   * that it wrote all it was given, where it says nothing.
   */
  settle(summary: unknown): void {
    const { documents, filtered = 0 } = (summary ?? {}) as {
      documents?: unknown;
      filtered?: unknown;
    };
    const { sink } = this;
    sink.filtered = Number(filtered);
    sink.out = typeof documents === 'number' ? documents : sink.in - sink.rejected - sink.filtered;
  }

  /** The sink was given up: it has left out all that it was given. */
  leaveOut(): void {
    const { sink } = this;
    sink.filtered = sink.in - sink.rejected;
    sink.out = 0;
  }

  /** Errors: INTERNAL naming every sum that does not come out. */
  check(): void {
    const all = [this.source, ...this.transforms, this.sink];
    const faults: string[] = [];
    const expect = (what: string, left: number, right: number): void => {
      if (left !== right) faults.push(`${what}: ${left} is not ${right}`);
    };
    for (const [i, stage] of all.entries()) {
      const { name, in: taken, out, rejected, filtered, expanded } = stage;
      expect(
        `${name}: in + expanded = out + filtered + rejected`,
        taken + expanded,
        out + filtered + rejected,
      );
      const next = all[i + 1];
      if (next) expect(`${name} gave what ${next.name} took`, out, next.in);
    }
    const stages = all.reduce((sum, { rejected }) => sum + rejected, 0);
    expect('records rejected by the stages and set aside', stages, this.rejected);
    const { read, written, filtered, rejected, expanded } = this.counts;
    expect(
      'read + expanded = written + filtered + rejected',
      read + expanded,
      written + filtered + rejected,
    );
    if (faults.length === 0) return;
    throw new EtlError('INTERNAL', `the run does not add up: ${faults.join('; ')}`);
  }
}

/** Bytes of a batch that exists as bytes; 0 for one of objects, which are not encoded for this. */
export function bytesOf(batch: Batch): number {
  return batch.hasBytes ? batch.byteLength : 0;
}

/** The same of a batch as its source gave it: what objects were made of, if that is known. */
export function readBytesOf(batch: Batch): number {
  return batch.hasBytes ? batch.byteLength : (batch.origin.byteLength ?? 0);
}

function newCounts(name: string): OpenCounts {
  return { name, in: 0, out: 0, rejected: 0, filtered: 0, expanded: 0, bytes: 0, seconds: 0 };
}
