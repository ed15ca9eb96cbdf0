/** The form of the tests of a pipeline file, and the JSON Schema that editors check them with. */
import { anyText, fields, mapOf, option, type Schema, text } from './schema.ts';

const documents: Schema = { type: 'array', items: { type: 'object', additionalProperties: {} } };

/** A file of tests: `NAME.test.yaml` beside `NAME.yaml`. */
export const testsForm: Schema = fields(
  {
    tests: {
      type: 'array',
      minItems: 1,
      items: fields(
        {
          name: option(text, 'What is to hold.'),
          env: option(mapOf(anyText), 'Variables of the environment, beside those there are.'),
          input: option(documents, 'What the source is to give.'),
          output: option(documents, 'What the sink is to be given, whole and in order.'),
          rejects: option(
            { type: 'array', items: text },
            'Codes of the records that transforms are to refuse, in order; absent: none.',
          ),
        },
        ['name', 'input', 'output'],
      ),
    },
  },
  ['tests'],
);

/** The JSON Schema of files of tests, draft 2020-12. */
export function testsJsonSchema(): object {
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'Tests of a zds-stream pipeline',
    ...testsForm,
  };
}
