/**
 * The transforms as Node stages, for use in `pipeline` between any source and any sink. Each takes
 * the options of its transform and those of a stage: `onReject`, `signal`.
 */
import type { Document } from './core/batch.ts';
import type { PathInput, Selected } from './core/path.ts';
import type { Predicate } from './core/predicate.ts';
import type { Transform } from './core/stage.ts';
import type { StandardSchema } from './core/standard-schema.ts';
import { sharedKernel } from './kernels/index.ts';
import type { SourceStream } from './streams/source-stream.ts';
import { type StageOptions, TransformStage } from './streams/transform-stage.ts';
import * as transforms from './transforms/index.ts';

/** The documents that come out of a source, a transform or a chain, for the function of the stage behind it. */
export type DocumentOf<Stage> =
  Stage extends TransformStage<infer _, infer Out>
    ? Out
    : Stage extends SourceStream<infer T> | Chain<infer T>
      ? T
      : never;

/**
 * A source with transforms behind it, `T` being the documents that come out; `run` takes its parts:
 * `run({ name, ...chain, sink })`.
 */
export class Chain<T extends object> {
  declare readonly documentTypes?: T;
  readonly source: SourceStream;
  readonly transforms: readonly Step[];

  constructor(source: SourceStream, transforms: readonly Step[]) {
    this.source = source;
    this.transforms = transforms;
  }

  /**
   * The chain with another transform at its end; with an `id` what it remembers is kept under that.
   * What functions are given is known from the stage in front; a transform that does not take it is an
   * error of types.
   */
  through<U extends object>(transform: TransformStage<T, U>, id?: string): Chain<U> {
    const step = id === undefined ? transform : { id, transform };
    return new Chain<U>(this.source, [...this.transforms, step]);
  }
}

type Step =
  | TransformStage<never, object>
  | { readonly id: string; readonly transform: TransformStage<never, object> };

/** Begins a chain, in which types go from stage to stage. */
export function chain<T extends object>(source: SourceStream<T>): Chain<T> {
  return new Chain(source as SourceStream, []);
}

type DocumentFunction<T extends object, R> = transforms.DocumentFunction<T, R>;

/** A stage around a transform of one's own. */
export function transformStage<In extends object = Document, Out extends object = In>(
  transform: Transform,
  options: StageOptions = {},
): TransformStage<In, Out> {
  return new TransformStage<In, Out>(transform, sharedKernel().codec, options);
}

/** A document for each document; see `mapTransform`. */
export function map<T extends object = Document, U extends object = T>(
  run: DocumentFunction<T, U>,
  options: transforms.MapOptions & StageOptions = {},
): TransformStage<T, U> {
  return transformStage(transforms.mapTransform(run, options), options);
}

/** Keeps what the predicate (on bytes) or the function (on objects) holds for. */
export function filter<T extends object = Document>(
  keep: Predicate | DocumentFunction<T, boolean>,
  options: transforms.CallOptions & StageOptions = {},
): TransformStage<T> {
  return transformStage(transforms.filterTransform(keep, options), options);
}

/** Keeps these fields of every document, on bytes; see `projectTransform`. */
export function project<T extends object = Document, U extends object = Selected<T>>(
  paths: readonly PathInput[],
  options: StageOptions = {},
): TransformStage<T, U> {
  return transformStage(transforms.projectTransform(paths), options);
}

/** Shows every document to a function and passes it on unchanged. */
export function tap<T extends object = Document>(
  look: DocumentFunction<T, unknown>,
  options: StageOptions = {},
): TransformStage<T> {
  return transformStage(transforms.tapTransform(look), options);
}

/** Fields at the top that paths of several steps lead into: their types are not followed. All, for paths not known. */
type Entered<P> = P extends string
  ? string extends P
    ? string
    : P extends `${string}\\${string}`
      ? string
      : P extends `${infer Field}.${string}`
        ? Field
        : never
  : P extends readonly [string]
    ? never
    : P extends readonly [infer Field, ...unknown[]]
      ? Field
      : string;

/** A document with the names at its top changed; what has names changed within is unknown. */
export type Renamed<T, M> = {
  [K in keyof T as K extends keyof M ? Extract<M[K], PropertyKey> : K]: K extends Entered<keyof M>
    ? unknown
    : T[K];
};

/** Gives fields other names, on bytes; see `renameTransform`. */
export function rename<
  T extends object = Document,
  const M extends { readonly [path: string]: string } = { readonly [path: string]: string },
>(fields: M, options: StageOptions = {}): TransformStage<T, Renamed<T, M>> {
  return transformStage(transforms.renameTransform(fields), options);
}

interface CastResults {
  string: string;
  number: number;
  integer: number;
  boolean: boolean;
  timestamp: string;
}

/** What a value may be beside what it is cast to: the `onMisfit` and `emptyAsNull` of `cast`. */
type Uncast<V, Misfit, Empty> =
  | Extract<V, null | undefined>
  | (Misfit extends 'null' ? null : Misfit extends 'keep' ? V : never)
  | (Empty extends true ? null : never);

/** What a function's result is once it has been JSON. */
type Written<R> = R extends { toJSON(): infer J } ? J : Exclude<R, undefined>;

/**
 * A document with the types of fields at its top changed; what has values cast within is unknown. `Misfit`
 * and `Empty` are the options `onMisfit` and `emptyAsNull`.
 */
export type Cast<T, C, Misfit = 'reject', Empty = false> = {
  [K in keyof T]: K extends Entered<keyof C>
    ? unknown
    : K extends keyof C
      ? C[K] extends keyof CastResults
        ? CastResults[C[K]] | Uncast<T[K], Misfit, Empty>
        : C[K] extends (value: never) => infer R
          ? Written<R> | Uncast<T[K], Misfit, false>
          : T[K]
      : T[K];
};

/** Turns values into values of other types, on bytes; see `castTransform`. */
export function cast<
  T extends object = Document,
  const C extends { readonly [path: string]: transforms.CastType | transforms.CastFunction } = {
    readonly [path: string]: transforms.CastType;
  },
  Misfit extends transforms.CastOptions['onMisfit'] = 'reject',
  Empty extends boolean = false,
>(
  types: C,
  options: transforms.CastOptions &
    StageOptions & { readonly onMisfit?: Misfit; readonly emptyAsNull?: Empty } = {},
): TransformStage<T, Cast<T, C, Misfit, Empty>> {
  return transformStage(transforms.castTransform(types, options), options);
}

/** Brings the fields of nested objects to the top, on bytes; see `flattenTransform`. */
export function flatten<T extends object = Document, U extends object = Document>(
  options: transforms.FlattenOptions & StageOptions = {},
): TransformStage<T, U> {
  return transformStage(transforms.flattenTransform(options), options);
}

/** What stands in an array's place. `Empty` is the option `empty` of `unnest`. */
type Element<V, Empty> = V extends readonly (infer E)[]
  ? E | (Empty extends 'keep' ? [] : never)
  : V extends null | undefined
    ? Empty extends 'keep'
      ? V
      : never
    : V;

/** An `_id` with an element's number behind it; what is no array leaves it. `Ids` is the option `ids`. */
type NumberedId<Id, V, Empty, Ids> = Ids extends 'keep'
  ? Id
  :
      | (Id extends string | number ? string : Id)
      | ([V] extends [readonly unknown[] | null | undefined]
          ? Empty extends 'keep'
            ? Id
            : never
          : Id);

/** The field that a path of one step names. */
type OnlyStep<P> = P extends readonly [infer Field] ? Field : P;

/**
 * A document with an element in the place of an array at its top; what holds an array that is unnested is
 * unknown. An `_id` that is a number becomes text, unless ids are kept.
 */
export type Unnested<T, P, Empty = 'drop', Ids = 'number'> = {
  [K in keyof T]: K extends Entered<P>
    ? unknown
    : K extends OnlyStep<P>
      ? Element<T[K], Empty>
      : K extends '_id'
        ? NumberedId<T[K], OnlyStep<P> extends keyof T ? T[OnlyStep<P>] : unknown, Empty, Ids>
        : T[K];
};

/** A document for each element of an array, on bytes; see `unnestTransform`. */
export function unnest<
  T extends object = Document,
  const P extends PathInput = PathInput,
  Empty extends transforms.UnnestOptions['empty'] = 'drop',
  Ids extends transforms.UnnestOptions['ids'] = 'number',
>(
  path: P,
  options: transforms.UnnestOptions &
    StageOptions & { readonly empty?: Empty; readonly ids?: Ids } = {},
): TransformStage<T, Unnested<T, P, Empty, Ids>> {
  return transformStage(transforms.unnestTransform(path, options), options);
}

/** Lets the first document of each key through, on bytes; see `dedupeTransform`. */
export function dedupe<T extends object = Document>(
  options: transforms.DedupeOptions & StageOptions = {},
): TransformStage<T> {
  return transformStage(transforms.dedupeTransform(options), options);
}

/** Holds documents against a schema (zod, valibot, arktype, …); see `validateTransform`. */
export function validate<U extends object, T extends object = Document>(
  schema: StandardSchema<U>,
  options?: transforms.ValidateOptions & StageOptions & { readonly keep?: 'output' },
): TransformStage<T, U>;
/** The documents that come are those that go on: they are what the schema takes, not what it makes. */
export function validate<T extends object = Document, In = unknown>(
  schema: StandardSchema<object, In>,
  options: transforms.ValidateOptions & StageOptions & { readonly keep: 'input' },
): TransformStage<T, T & In>;
export function validate(
  schema: StandardSchema<object>,
  options: transforms.ValidateOptions & StageOptions = {},
): TransformStage {
  return transformStage(transforms.validateTransform(schema, options), options);
}

/** Makes batches of a wanted size; see `batchTransform`. */
export function batch<T extends object = Document>(
  options: transforms.BatchOptions & StageOptions,
): TransformStage<T> {
  return transformStage(transforms.batchTransform(options), options);
}

/** Lets documents through at a given rate; see `throttleTransform`. */
export function throttle<T extends object = Document>(
  options: transforms.ThrottleOptions & StageOptions,
): TransformStage<T> {
  return transformStage(transforms.throttleTransform(options), options);
}

/** A document with what was found for it, or null, nothing or what was there. */
export type Joined<T, U> = Omit<T, keyof U> & {
  [K in keyof U]?: U[K] | null | (K extends keyof T ? T[K] : never);
};

/** Puts what a store, map or service knows under a key into each document; see `lookupTransform`. */
export function lookup<T extends object = Document, U extends object = Document>(
  options: transforms.LookupOptions & StageOptions & { readonly missing: 'drop' | 'reject' },
): TransformStage<T, Omit<T, keyof U> & U>;
/** Documents for which nothing is found go on without it: as they were, or with null. */
export function lookup<T extends object = Document, U extends object = Document>(
  options: transforms.LookupOptions & StageOptions,
): TransformStage<T, Joined<T, U>>;
export function lookup(options: transforms.LookupOptions & StageOptions): TransformStage {
  return transformStage(transforms.lookupTransform(options), options);
}

/** A document per group, when the input has ended; see `aggregateTransform`. */
export function aggregate<T extends object = Document, U extends object = Document>(
  options: transforms.AggregateOptions & StageOptions,
): TransformStage<T, U> {
  return transformStage(transforms.aggregateTransform(options), options);
}

/** Some of the documents, on bytes; see `sampleTransform`. */
export function sample<T extends object = Document>(
  options: transforms.SampleOptions & StageOptions,
): TransformStage<T> {
  return transformStage(transforms.sampleTransform(options), options);
}

/** Only what earlier runs have not let through; see `incrementalTransform`. */
export function incremental<T extends object = Document>(
  options: transforms.IncrementalOptions & StageOptions,
): TransformStage<T> {
  return transformStage(transforms.incrementalTransform(options), options);
}

/** Holds documents against what is known of their fields; see `contractTransform`. */
export function contract<T extends object = Document>(
  options: transforms.ContractOptions & StageOptions = {},
): TransformStage<T> {
  return transformStage(transforms.contractTransform(options), options);
}
