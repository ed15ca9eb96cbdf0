/** The form of a whole pipeline file, and the JSON Schema that editors check it with. */
import type { StageKind } from './check.ts';
import {
  anyOf,
  count,
  fields,
  flag,
  natural,
  oneOf,
  option,
  retry,
  type Schema,
  size,
  text,
} from './schema.ts';
import { sinkTypes } from './sinks.ts';
import { sourceTypes } from './sources.ts';
import type { StageType } from './stage-type.ts';
import { transformTypes } from './transforms.ts';

/** The stages that files know, by kind and by the name in `type`. */
export const stageTypes: Readonly<Record<StageKind, Readonly<Record<string, StageType<unknown>>>>> =
  { source: sourceTypes, transform: transformTypes, sink: sinkTypes };

/** Options that every stage of a kind has beside those of its type. */
export const kindOptions: Readonly<Record<StageKind, Readonly<Record<string, Schema>>>> = {
  source: {},
  transform: {
    id: option(text, 'What it remembers from run to run is kept under this.', 'its type'),
  },
  sink: {},
};

const share: Schema = {
  type: 'string',
  pattern: '^(100(\\.0+)?|\\d{1,2}(\\.\\d+)?)%$',
  examples: ['1%'],
};

/** A pipeline: stages, and how the run goes. */
export const pipelineSchema: Schema = fields(
  {
    name: option(text, 'The same each time: positions are kept under it.'),
    source: option({ $ref: '#/$defs/source' }, 'Where documents come from.'),
    transforms: option(
      { type: 'array', items: { $ref: '#/$defs/transform' } },
      'What happens to them, in order.',
    ),
    sink: option({ $ref: '#/$defs/sink' }, 'Where they go.'),
    resume: option(flag, 'Go on behind what was committed last.', false),
    reset: option(flag, 'Forget what transforms remembered.', false),
    onError: option(
      anyOf(oneOf('stop', 'skip'), fields({ deadLetter: text }, ['deadLetter'])),
      'What to do with bad records.',
      'stop',
    ),
    maxErrors: option(
      anyOf(
        natural,
        share,
        fields({ count: natural, share: { type: 'number', minimum: 0, maximum: 1 } }),
      ),
      'More bad records than this end the run: a count, or a share such as 1%.',
      'no limit',
    ),
    retry: option(retry, 'Try again after errors that pass by themselves.', 'not'),
    maxMemory: option(size, 'Bytes of documents under way.', '64MiB'),
    progressMs: option(count, 'At most so often progress is told.', 250),
  },
  ['name', 'source', 'sink'],
);

/** The JSON Schema of pipeline files, draft 2020-12. */
export function pipelineJsonSchema(): object {
  const kinds = Object.entries(stageTypes);
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'A zds-stream pipeline',
    ...withVariables(pipelineSchema),
    $defs: {
      variable,
      ...Object.fromEntries(
        kinds.map(([kind, types]) => [kind, stageSchema(types, kindOptions[kind as StageKind])]),
      ),
    },
  };
}

function stageSchema(
  types: Readonly<Record<string, StageType<unknown>>>,
  common: Readonly<Record<string, Schema>>,
): object {
  return {
    type: 'object',
    required: ['type'],
    properties: { type: { enum: Object.keys(types) } },
    // One `if` per type rather than `oneOf`: an editor then complains about the type that is meant.
    allOf: Object.entries(types).map(([type, { description, options, required }]) => ({
      if: { properties: { type: { const: type } }, required: ['type'] },
      // biome-ignore lint/suspicious/noThenProperty: a word of JSON Schema
      then: withVariables({
        ...fields({ type: { enum: [type], description }, ...common, ...options }, [
          'type',
          ...required,
        ]),
      }),
    })),
  };
}

/** What is a number, a flag or a word may be a variable in a file; `format` is for us alone. */
function withVariables(form: Schema): object {
  const { format, default: standard, properties, items, anyOf: forms, ...rest } = form;
  const { additionalProperties: each, description, ...kept } = rest;
  const plain = {
    ...(description === undefined ? {} : { description: describe(description, standard) }),
    ...kept,
    ...(properties ? { properties: mapValues(properties, withVariables) } : {}),
    ...(each === undefined ? {} : { additionalProperties: each && withVariables(each) }),
    ...(items ? { items: withVariables(items) } : {}),
    ...(forms ? { anyOf: [...forms.map(withVariables)] } : {}),
  };
  const isScalar = ['integer', 'number', 'boolean'].includes(form.type ?? '') || form.enum;
  if (!isScalar || form.enum?.length === 1) return plain;
  const { description: words, ...bare } = plain as { description?: string };
  return {
    ...(words === undefined ? {} : { description: words }),
    anyOf: [bare, { $ref: '#/$defs/variable' }],
  };
}

const variable = { type: 'string', pattern: '^\\$\\{[A-Za-z_][A-Za-z0-9_]*(:-.*)?\\}$' };

function describe(description: string, standard: unknown): string {
  return standard === undefined ? description : `${description} Default: ${standard}.`;
}

function mapValues(
  record: Readonly<Record<string, Schema>>,
  map: (form: Schema) => object,
): Record<string, object> {
  return Object.fromEntries(Object.entries(record).map(([key, form]) => [key, map(form)]));
}
