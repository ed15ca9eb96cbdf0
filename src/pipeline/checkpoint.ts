/**
 * What a run commits with its data: the source's own cursor and what the transforms remember, with a
 * fingerprint of the source, so that another source's cursor is never taken for this one's.
 *
 * What a transform remembers stands under its id, or under its name: `dedupe`, and `dedupe#2` for the
 * second one without an id. So transforms can be put in, taken out and moved; what one remembered that
 * is no longer there is dropped with the next commit, and the run says so when it starts.
 */
import { EtlError } from '../core/errors.ts';
import type { Source, Transform } from '../core/stage.ts';
import type { Memory, MemoryMark, MemoryMarks } from './memories.ts';
import type { AnyTransform } from './options.ts';
import type { StageMark } from './position.ts';

/** As it stands in the sink: JSON. */
export interface Checkpoint {
  /** Of the source: its name. What exactly it reads, the source's own cursor tells and checks. */
  readonly source: string;
  /** The source's cursor; absent where the source has none. */
  readonly at?: unknown;
  /** True where states stand under names; earlier ones stood under place and name, `0:dedupe`. */
  readonly named?: boolean;
  /** What each transform saved, by its state's name. */
  readonly states?: Readonly<Record<string, unknown>>;
  /** How much of its journal counts, of those that have one. */
  readonly journals?: MemoryMarks;
  /** Of a run that may go back to here: which one it was, and how far. */
  readonly mark?: CheckpointMark;
}

export interface CheckpointMark {
  readonly loadId: string;
  /** What each stage had counted. */
  readonly counts: readonly StageMark[];
  /** The source had been read to its end, and nothing was left in the transforms. */
  readonly ended: boolean;
}

/** A transform with the name that its state is kept under. */
export interface NamedTransform {
  readonly key: string;
  readonly transform: Transform;
}

/** A transform, with the id that was given for it. */
export interface Identified<T = Transform> {
  readonly id?: string | undefined;
  readonly transform: T;
}

/** The contract under a transform of a run, with the id that was given. */
export function unwrap(each: AnyTransform): Identified {
  if (!('transform' in each)) return { transform: each };
  const { transform } = unwrap(each.transform);
  return 'id' in each ? { id: each.id, transform } : { transform };
}

/** What each of a run's transforms is remembered under: its id, or its name, numbered from the second on. */
export function stateKeys(transforms: readonly Identified<Pick<Transform, 'name'>>[]): string[] {
  const seen = new Map<string, number>();
  return transforms.map(({ id, transform: { name } }) => {
    if (id !== undefined) return id;
    const nth = (seen.get(name) ?? 0) + 1;
    seen.set(name, nth);
    return nth === 1 ? name : `${name}#${nth}`;
  });
}

/** Names the states. Errors: INVALID_ARGUMENT for an id that is given twice. */
export function nameStates(transforms: readonly Identified[]): NamedTransform[] {
  const keys = stateKeys(transforms);
  const twice = keys.find((key, i) => keys.indexOf(key) < i);
  if (twice !== undefined) {
    throw new EtlError('INVALID_ARGUMENT', `two transforms of the run have the id ${twice}`);
  }
  return transforms.map(({ transform }, i) => ({ key: keys[i]!, transform }));
}

/** The checkpoint at a position, with what each transform remembers there. */
export function makeCheckpoint(
  source: Source,
  transforms: readonly NamedTransform[],
  at: unknown,
  memories: readonly (Memory | undefined)[],
): Checkpoint {
  // An id may be any text, `__proto__` too: by assignment that would be no field.
  const states = new Map<string, unknown>();
  const journals = new Map<string, MemoryMark>();
  for (const [i, { key }] of transforms.entries()) {
    const { state, journal } = memories[i] ?? {};
    if (state !== undefined) states.set(key, state);
    if (journal) journals.set(key, journal);
  }
  return {
    source: source.name,
    ...(at === undefined ? {} : { at }),
    ...(states.size === 0 ? {} : { named: true, states: Object.fromEntries(states) }),
    ...(journals.size === 0 ? {} : { journals: Object.fromEntries(journals) }),
  };
}

/**
 * Gives the transforms back what they saved, and nothing to those that saved nothing: what they remember of an
 * earlier run they forget. Answers the names
 * of what is remembered, in journals too, that there is no transform for.
 */
export function restoreStates(
  checkpoint: Checkpoint | undefined,
  transforms: readonly NamedTransform[],
): string[] {
  const states = checkpoint ? byName(checkpoint) : new Map<string, unknown>();
  for (const { key, transform } of transforms) {
    transform.restore?.(states.get(key));
    states.delete(key);
  }
  const here = new Set(transforms.map(({ key }) => key));
  const left = Object.keys(checkpoint?.journals ?? {}).filter((key) => !here.has(key));
  return [...new Set([...states.keys(), ...left])];
}

/** True if every transform can go back to what it remembered before. */
export function canGoBack(transforms: readonly NamedTransform[]): boolean {
  return transforms.every(({ transform }) => transform.restore || !transform.flush);
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

/** The error for a source without cursors, or without one behind its last documents. */
export function cannotResume(source: Source, name: string): EtlError {
  return new EtlError(
    'UNSUPPORTED',
    `run ${name} cannot resume: ${source.name} gives no cursor behind its documents; run it without resume`,
  );
}

/** States by their names; of earlier ones their order tells which is the second of a name. */
function byName({ named: isNamed, states = {} }: Checkpoint): Map<string, unknown> {
  const keys = Object.keys(states);
  if (isNamed || !keys.every((key) => /^\d+:/.test(key))) {
    return new Map(Object.entries(states));
  }
  keys.sort((a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10));
  const named = new Map<string, unknown>();
  for (const key of keys) {
    const name = key.slice(key.indexOf(':') + 1);
    let free = name;
    for (let nth = 2; named.has(free); nth++) free = `${name}#${nth}`;
    named.set(free, states[key]);
  }
  return named;
}
