/** The transforms that pipeline files know. */
import type { PathInput } from '../core/path.ts';
import type { Predicate } from '../core/predicate.ts';
import type { Transform } from '../core/stage.ts';
import type { StandardSchema } from '../core/standard-schema.ts';
import type { AnyTransform } from '../pipeline/index.ts';
import { FastStore } from '../store/fast-store.ts';
import * as transforms from '../transforms/index.ts';
import { importExport, importModule } from './import-module.ts';
import { moduleStage } from './module-stage.ts';
import {
  anyOf,
  anyText,
  collection,
  count,
  fields,
  flag,
  mapOf,
  natural,
  oneOf,
  option,
  path,
  paths,
  type Schema,
  size,
  text,
  where,
} from './schema.ts';
import { type FileOptions, type Scope, type StageType, stageType } from './stage-type.ts';

interface Exported {
  readonly path: string;
  readonly export?: string;
}

const exported = {
  path: option(text, 'The module: .js, .mjs or .ts.'),
  export: option(text, 'The name of the export.', 'default'),
};
const concurrency = option(count, 'Calls under way at a time.', 1);
const key = anyOf(text, paths);
const measure = anyOf(
  fields({ count: anyOf({ enum: [true] }, path) }, ['count']),
  ...['sum', 'min', 'max', 'mean', 'distinct'].map((name) => fields({ [name]: path }, [name])),
);
const contractMode = oneOf('evolve', 'freeze', 'discard_value', 'discard_row');
const contractType = oneOf('boolean', 'integer', 'number', 'string', 'object', 'array');
const positive: Schema = { type: 'number', minimum: Number.MIN_VALUE };

/** By the name in `type`. */
export const transformTypes: Readonly<Record<string, StageType<AnyTransform>>> = {
  filter: stageType<{ readonly where: Predicate }, Transform>({
    description: 'Keeps the documents that an expression holds for.',
    options: { where: option(where, "Documents to keep: score > 90 and source = 'web'.") },
    required: ['where'],
    make: (options) => transforms.filterTransform(options.where),
  }),
  project: stageType<{ readonly fields: readonly PathInput[] }, Transform>({
    description: 'Keeps some fields of every document.',
    options: { fields: option(paths, 'Fields to keep.') },
    required: ['fields'],
    make: (options) => transforms.projectTransform(options.fields),
  }),
  rename: stageType<{ readonly fields: Readonly<Record<string, string>> }, Transform>({
    description: 'Gives fields other names.',
    options: { fields: option(mapOf(text), 'Paths with their new names.') },
    required: ['fields'],
    make: (options) => transforms.renameTransform(options.fields),
  }),
  cast: stageType<
    { readonly types: Readonly<Record<string, transforms.CastType>> } & transforms.CastOptions,
    Transform
  >({
    description: 'Turns values into values of other types.',
    options: {
      types: option(
        mapOf(oneOf('string', 'number', 'integer', 'boolean', 'timestamp')),
        'Paths with the types to cast to.',
      ),
      onMisfit: option(
        oneOf('reject', 'null', 'keep'),
        'What becomes of a value that cannot be cast.',
        'reject',
      ),
      emptyAsNull: option(flag, 'Empty text becomes null, but for string.', false),
    },
    required: ['types'],
    make: ({ types, ...options }) => transforms.castTransform(types, options),
  }),
  flatten: stageType<transforms.FlattenOptions, Transform>({
    description: 'Brings the fields of nested objects to the top.',
    options: {
      separator: option(anyText, 'Between the names.', '_'),
      maxDepth: option(count, 'Objects deeper than this stay as they are.', 'all'),
    },
    required: [],
    make: (options) => transforms.flattenTransform(options),
  }),
  unnest: stageType<{ readonly path: PathInput } & transforms.UnnestOptions, Transform>({
    description: 'Makes a document for each element of an array.',
    options: {
      path: option(path, 'Where the array stands.'),
      empty: option(oneOf('drop', 'keep'), 'Documents without elements.', 'drop'),
      ids: option(oneOf('number', 'keep'), 'Whether each gets an _id of its own.', 'number'),
    },
    required: ['path'],
    make: ({ path: array, ...options }) => transforms.unnestTransform(array, options),
  }),
  dedupe: stageType<transforms.DedupeOptions, Transform>({
    description: 'Lets the first document of each key through.',
    options: {
      by: option(key, 'The path, or paths, that make the key.', '_id'),
      maxKeys: option(count, 'Keys to remember; more end the run.', 4_000_000),
      window: option(count, 'Remember only so many of the last.'),
    },
    required: [],
    make: (options) => transforms.dedupeTransform(options),
  }),
  aggregate: stageType<transforms.AggregateOptions, Transform>({
    description: 'A document per group, when the input has ended.',
    options: {
      by: option(anyOf(text, paths, mapOf(path)), 'What to group by: a path, paths, or names.'),
      measures: option(mapOf(measure), 'Names with what is measured: { total: { sum: amount } }.'),
      maxBytes: option(size, 'Memory for groups and distinct values, roughly.', '256MiB'),
    },
    required: ['measures'],
    make: (options) => transforms.aggregateTransform(options),
  }),
  lookup: stageType<
    Omit<transforms.LookupOptions, 'from'> & {
      readonly from: { readonly root: string; readonly collection: string };
    },
    Transform
  >({
    description: 'Puts the document that a store has under a key into each document.',
    options: {
      from: option(
        fields({ root: text, collection }, ['root', 'collection']),
        'The collection to look in.',
      ),
      by: option(path, 'Where the key is.'),
      as: option(text, 'The field that takes what was found.'),
      missing: option(
        oneOf('keep', 'null', 'drop', 'reject'),
        'What becomes of a document for which nothing is found.',
        'keep',
      ),
      concurrency: option(count, 'Questions under way at a time.', 16),
    },
    required: ['from', 'by', 'as'],
    make: ({ from, ...options }, scope) => lookupInStore(from, options, scope),
  }),
  incremental: stageType<transforms.IncrementalOptions, Transform>({
    description: 'Keeps what earlier runs of the same name have not let through.',
    options: {
      field: option(path, 'The field that grows: numbers, or texts such as times.'),
      initial: option(anyOf({ type: 'number' }, text), 'Begin with this value.', 'with all'),
      sorted: option(flag, 'The input is in ascending order of the field.', false),
      missing: option(
        oneOf('reject', 'keep', 'drop'),
        'What becomes of documents without a value.',
        'reject',
      ),
    },
    required: ['field'],
    make: (options) => transforms.incrementalTransform(options),
  }),
  contract: stageType<Omit<transforms.ContractOptions, 'onDiscard'>, Transform>({
    description: 'Holds documents against what is known of their fields.',
    options: {
      collection: option(contractMode, 'For the first documents of all.', 'evolve'),
      columns: option(contractMode, 'For new fields.', 'evolve'),
      dataType: option(contractMode, 'For new types of a field.', 'evolve'),
      schema: option(
        mapOf(anyOf(contractType, { type: 'array', items: contractType, minItems: 1 })),
        'Types by path, known from the start.',
        'what earlier runs learned',
      ),
    },
    required: [],
    make: (options) => transforms.contractTransform(options),
  }),
  sample: stageType<transforms.SampleOptions, Transform>({
    description: 'Some of the documents: one of share, every and count.',
    options: {
      share: option({ type: 'number', minimum: 0, maximum: 1 }, 'Each with this probability.'),
      every: option(count, 'Every nth.'),
      count: option(natural, 'So many of all.'),
      seed: option(natural, 'The same seed gives the same sample.', 'drawn anew'),
    },
    required: [],
    make: (options) => transforms.sampleTransform(options),
  }),
  batch: stageType<transforms.BatchOptions, Transform>({
    description: 'Makes batches of a wanted size.',
    options: {
      count: option(count, 'Most documents in a batch.', 'any number'),
      bytes: option(size, 'Most bytes in a batch.', '1MiB'),
      waitMs: option(count, 'Longest wait of a document for others.', 'until they come'),
    },
    required: [],
    make: (options) => transforms.batchTransform(options),
  }),
  throttle: stageType<transforms.ThrottleOptions, Transform>({
    description: 'Lets documents through at a given rate.',
    options: {
      documentsPerSecond: option(positive, 'Documents a second.'),
      bytesPerSecond: option(positive, 'Bytes of JSON Lines a second.'),
    },
    required: [],
    make: (options) => transforms.throttleTransform(options),
  }),
  map: stageType<Exported & FileOptions<transforms.MapOptions>, Transform>({
    description: 'Passes every document through a function of a module.',
    options: {
      ...exported,
      concurrency,
      ordered: option(flag, 'Keep the order of the documents.', true),
      onThrow: option(oneOf('stop', 'reject'), 'What a thrown error does.', 'stop'),
    },
    required: ['path'],
    async make({ path: file, export: name = 'default', ...options }) {
      const run = await importExport(file, name);
      return transforms.mapTransform(run as transforms.DocumentFunction<object, object>, options);
    },
  }),
  validate: stageType<Exported & FileOptions<transforms.ValidateOptions>, Transform>({
    description: 'Holds documents against a schema of a module: zod, valibot, arktype.',
    options: {
      ...exported,
      keep: option(oneOf('output', 'input'), 'What goes on.', 'output'),
      concurrency,
    },
    required: ['path'],
    async make({ path: file, export: name = 'default', ...options }) {
      const schema = (await importModule(file))[name] as StandardSchema<object>;
      return transforms.validateTransform(schema, options);
    },
  }),
  module: moduleStage<AnyTransform>('transform'),
};

/** Looks in a store that is opened when the first batch comes. */
function lookupInStore(
  { root, collection }: { readonly root: string; readonly collection: string },
  options: Omit<transforms.LookupOptions, 'from'>,
  scope: Scope,
): Transform {
  let opening: Promise<FastStore> | undefined;
  let lookup: Transform | undefined;
  scope.defer(async () => {
    const store = await opening?.catch(() => undefined);
    opening = undefined;
    lookup = undefined;
    await store?.close();
  });
  return {
    // Options that cannot be are refused at once.
    ...transforms.lookupTransform({ ...options, from: new Map() }),
    async *apply(batch, signal, onReject) {
      opening ??= FastStore.open(root, collection, { mode: 'read' });
      lookup ??= transforms.lookupTransform({ ...options, from: await opening });
      yield* await lookup.apply(batch, signal, onReject);
    },
  };
}
