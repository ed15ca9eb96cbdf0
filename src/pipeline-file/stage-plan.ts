/** Stages between their description and their making. */
import { isPlain, type Way } from './check.ts';
import type { Scope, StageType } from './stage-type.ts';

/** A stage that has been checked, to be made later. */
export class StagePlan {
  readonly type: string;
  readonly options: Readonly<Record<string, unknown>>;
  readonly #stage: StageType<unknown>;
  readonly #way: Way;

  constructor(
    type: string,
    stage: StageType<unknown>,
    options: Readonly<Record<string, unknown>>,
    way: Way,
  ) {
    this.type = type;
    this.options = options;
    this.#stage = stage;
    this.#way = way;
  }

  /**
   * The stage; of a transform with an `id` both, as `run` takes them. Undefined, and told of, where it, or a
   * stage in its options, cannot be made of its options.
   */
  async make(scope: Scope, told: Failure[]): Promise<unknown> {
    const before = told.length;
    const made = (await makeAll(this.options, scope, told)) as Record<string, unknown>;
    if (told.length > before) return undefined;
    const { id, ...options } = made;
    try {
      const stage = await this.#stage.make(options, scope);
      return id === undefined ? stage : { id, transform: stage };
    } catch (error) {
      told.push({ error, way: this.#way });
      return undefined;
    }
  }
}

/** Why a stage could not be made. */
export interface Failure {
  readonly error: unknown;
  readonly way: Way;
}

/** The value with its stages made; stages in the options of stages are made first, and one that fails hinders no other. */
export async function makeAll(value: unknown, scope: Scope, told: Failure[]): Promise<unknown> {
  if (value instanceof StagePlan) return value.make(scope, told);
  if (Array.isArray(value)) {
    const made: unknown[] = [];
    for (const item of value) made.push(await makeAll(item, scope, told));
    return made;
  }
  if (!isPlain(value)) return value;
  const made: [string, unknown][] = [];
  for (const [key, field] of Object.entries(value)) {
    made.push([key, await makeAll(field, scope, told)]);
  }
  return Object.fromEntries(made);
}
