/** Stages of one's own: what a module exports, in a file that is data otherwise. */
import type { AnySink, AnySource, AnyTransform } from '../pipeline/index.ts';
import type { StageKind } from './check.ts';
import { importExport } from './import-module.ts';
import { option, text } from './schema.ts';
import { type StageType, stageType } from './stage-type.ts';

interface ModuleOptions {
  readonly path: string;
  readonly export?: string;
  readonly options?: unknown;
}

/** The type `module` of a kind of stage. */
export function moduleStage<Stage extends AnySource | AnyTransform | AnySink<unknown>>(
  kind: StageKind,
): StageType<Stage> {
  return stageType<ModuleOptions, Stage>({
    description: `A ${kind} of your own: what a function in a module returns.`,
    options: {
      path: option(text, 'The module: .js, .mjs or .ts.'),
      export: option(text, 'The name of the function.', 'default'),
      options: option({}, 'What the function is given.'),
    },
    required: ['path'],
    async make({ path, export: name = 'default', options }) {
      const create = (await importExport(path, name)) as (options: unknown) => Stage;
      return create(options);
    },
  });
}
