/**
 * Where a source is, as it travels through a run: a batch's cursor, and what each stage has counted, and
 * each transform remembers, of all that lies before it. A run that goes back to a position counts on from there, so that nothing is
 * counted twice.
 *
 * A stage that holds documents back has taken more by the time a position leaves it than the position
 * covers. What it took up to there is what the stage before had given up to there; the rest follows.
 */
import type { OpenCounts } from './ledger.ts';
import type { Memory } from './memories.ts';

/** What a stage has counted: in, out, rejected, filtered, expanded, bytes. */
export type StageMark = readonly number[];

export class Position {
  /** The source's own cursor; undefined where it has given none, and for documents behind its last. */
  readonly at: unknown;
  /** Of the stages passed so far, in their order. */
  readonly marks: StageMark[];
  /** Of the transforms passed so far. */
  readonly memories: (Memory | undefined)[] = [];

  constructor(at: unknown, source: OpenCounts) {
    this.at = at;
    this.marks = [markOf(source, source.in)];
  }

  /** Called when the position leaves a stage, with everything it covers given on; again is harmless. */
  leave(stage: number, counts: OpenCounts): void {
    this.marks[stage] = markOf(counts, this.marks[stage - 1]![1]!);
  }

  /** The same for transform `i`, which is stage `i + 1`, with what it remembers. */
  leaveTransform(i: number, counts: OpenCounts, memory: Memory | undefined): void {
    this.leave(i + 1, counts);
    this.memories[i] = memory;
  }
}

/** Sets counts back to what they were. */
export function setBack(counts: OpenCounts, mark: StageMark | undefined): void {
  const [taken = 0, out = 0, rejected = 0, filtered = 0, expanded = 0, bytes = 0] = mark ?? [];
  Object.assign(counts, { in: taken, out, rejected, filtered, expanded, bytes });
}

/** Of `taken` documents how many a stage has not accounted for; below 0 where it has given more. */
export function openOf(counts: OpenCounts, taken: number): number {
  return taken + counts.expanded - counts.out - counts.filtered - counts.rejected;
}

function markOf(counts: OpenCounts, taken: number): StageMark {
  const { out, rejected, filtered, expanded, bytes } = counts;
  const open = openOf(counts, taken);
  const left = Math.max(open, 0);
  return [taken, out, rejected, filtered + left, expanded + left - open, bytes];
}
