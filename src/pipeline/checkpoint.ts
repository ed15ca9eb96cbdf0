/**
 * What a run commits with its data: the source's own cursor and what the transforms remember, with a
 * fingerprint of the source, so that another source's cursor is never taken for this one's.
 */
import { EtlError } from '../core/errors.ts';
import type { Source, Transform } from '../core/stage.ts';

/** As it stands in the sink: JSON. */
export interface Checkpoint {
  /** Of the source: its name. What exactly it reads, the source's own cursor tells and checks. */
  readonly source: string;
  /** The source's cursor; absent where the source has none. */
  readonly at?: unknown;
  /** What each transform saved, by its place in the run. */
  readonly states?: Readonly<Record<string, unknown>>;
}

/** The checkpoint behind everything written so far. */
export function makeCheckpoint(
  source: Source,
  transforms: readonly Transform[],
  at: unknown,
): Checkpoint {
  const states: Record<string, unknown> = {};
  for (const [i, transform] of transforms.entries()) {
    const state = transform.save?.();
    if (state !== undefined) states[stateKey(transform, i)] = state;
  }
  return {
    source: source.name,
    ...(at === undefined ? {} : { at }),
    ...(Object.keys(states).length === 0 ? {} : { states }),
  };
}

/** Gives the transforms back what they saved. */
export function restoreStates(checkpoint: Checkpoint, transforms: readonly Transform[]): void {
  const { states = {} } = checkpoint;
  for (const [i, transform] of transforms.entries()) {
    const state = states[stateKey(transform, i)];
    if (state !== undefined) transform.restore?.(state);
  }
}

/**
 * A committed cursor as a checkpoint; undefined for none.
 * Errors: CURSOR_MISMATCH for one that no run made.
 */
export function readCheckpoint(committed: unknown): Checkpoint | undefined {
  if (committed === undefined || committed === null) return undefined;
  if (typeof committed === 'object' && typeof (committed as Checkpoint).source === 'string') {
    return committed as Checkpoint;
  }
  throw new EtlError('CURSOR_MISMATCH', 'what is committed under this name is no cursor of a run');
}

/** The source's cursor to go on from. Errors: CURSOR_MISMATCH. */
export function sourceCursor(checkpoint: Checkpoint, source: Source, name: string): unknown {
  if (checkpoint.source !== source.name) {
    throw new EtlError(
      'CURSOR_MISMATCH',
      `run ${name} read from ${checkpoint.source} before, not from ${source.name}`,
    );
  }
  if (checkpoint.at !== undefined) return checkpoint.at;
  throw cannotResume(source, name);
}

/** The error for a source that gives no cursors. */
export function cannotResume(source: Source, name: string): EtlError {
  return new EtlError(
    'UNSUPPORTED',
    `run ${name} cannot resume: ${source.name} gives no cursors; run it without resume`,
  );
}

function stateKey(transform: Transform, i: number): string {
  return `${i}:${transform.name}`;
}
