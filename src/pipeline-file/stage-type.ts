/** A kind of stage as files name it: its options, declared once, and the function that makes it. */
import type { Schema } from './schema.ts';

/** Where stages leave what is to be closed when the run is over. */
export interface Scope {
  defer(close: () => Promise<void>): void;
}

/** One of the stages that files know by the name in `type`. */
export interface StageType<Stage> {
  /** One sentence about it. */
  readonly description: string;
  readonly options: Readonly<Record<string, Schema>>;
  readonly required: readonly string[];
  /** Makes the stage of options that have been checked. Errors: those of its function. */
  make(options: Readonly<Record<string, unknown>>, scope: Scope): Stage | Promise<Stage>;
}

/** Options that only a program can give: functions and what is alive. */
type ForPrograms =
  | 'signal'
  | 'onError'
  | 'onReject'
  | 'onSniff'
  | 'onMisfits'
  | 'kernel'
  | 'loadId';

/** The options of a function that a file can give. */
export type FileOptions<O> = Omit<O, ForPrograms>;

type RequiredKeys<O> = { [K in keyof O]-?: object extends Pick<O, K> ? never : K }[keyof O];

interface Declaration<O, Stage> {
  readonly description: string;
  /** Every option: an option that a function gets and a file does not is a mistake of the compiler's. */
  readonly options: { readonly [K in keyof Required<O>]: Schema };
  readonly required: readonly (RequiredKeys<O> & string)[];
  readonly make: (options: O, scope: Scope) => Stage | Promise<Stage>;
}

/** Declares a kind of stage; `O` is what `make` takes. */
export function stageType<O extends object, Stage>(
  declaration: Declaration<O, Stage>,
): StageType<Stage> {
  const { options, make, ...rest } = declaration;
  return { ...rest, options, make: (checked, scope) => make(checked as O, scope) };
}
