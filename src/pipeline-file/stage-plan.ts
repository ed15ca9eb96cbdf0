/** Stages between their description and their making. */
import { isMapping, type Way } from './check.ts';
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
   * The stage; of a transform with an `id` both, as `run` takes them.
   * Errors: INVALID_ARGUMENT with the place of the stage for options that exclude each other.
   */
  async make(scope: Scope, fail: (error: unknown, way: Way) => Error): Promise<unknown> {
    const made = (await makeAll(this.options, scope, fail)) as Record<string, unknown>;
    const { id, ...options } = made;
    try {
      const stage = await this.#stage.make(options, scope);
      return id === undefined ? stage : { id, transform: stage };
    } catch (error) {
      throw fail(error, this.#way);
    }
  }
}

/** The value with its stages made; stages in the options of stages are made first. */
export async function makeAll(
  value: unknown,
  scope: Scope,
  fail: (error: unknown, way: Way) => Error,
): Promise<unknown> {
  if (value instanceof StagePlan) return value.make(scope, fail);
  if (Array.isArray(value)) {
    const made: unknown[] = [];
    for (const item of value) made.push(await makeAll(item, scope, fail));
    return made;
  }
  if (!isMapping(value) || Object.getPrototypeOf(value) !== Object.prototype) return value;
  const made: [string, unknown][] = [];
  for (const [key, field] of Object.entries(value)) {
    made.push([key, await makeAll(field, scope, fail)]);
  }
  return Object.fromEntries(made);
}
