/** docs/stages.md and the schemas in docs are made from what is declared: `npm run docs:stages`. */
import { expect, it } from 'vitest';
import { describeSchema, pipelineJsonSchema, stageTypes } from '../../src/pipeline-file/index.ts';
import { kindOptions } from '../../src/pipeline-file/pipeline-schema.ts';
import { testsJsonSchema } from '../../src/pipeline-file/test-schema.ts';

it('docs/pipeline.schema.json says what the stages take', async () => {
  const text = `${JSON.stringify(pipelineJsonSchema(), undefined, 1)}\n`;
  await expect(text).toMatchFileSnapshot('../../docs/pipeline.schema.json');
});

it('docs/pipeline-test.schema.json says what tests are', async () => {
  const text = `${JSON.stringify(testsJsonSchema(), undefined, 1)}\n`;
  await expect(text).toMatchFileSnapshot('../../docs/pipeline-test.schema.json');
});

it('docs/stages.md says what the stages take', async () => {
  await expect(stagesPage()).toMatchFileSnapshot('../../docs/stages.md');
});

function stagesPage(): string {
  const kinds = Object.entries(stageTypes).map(([kind, types]) => {
    const common = Object.entries(kindOptions[kind as keyof typeof kindOptions]).map(
      ([name, form]) =>
        `Each may have \`${name}\`, ${describeSchema(form)}. ${form.description}\n\n`,
    );
    const stages = Object.entries(types).map(([type, { description, options, required }]) => {
      const rows = Object.entries(options).map(([name, form]) => {
        const standard = required.includes(name) ? 'needed' : String(form.default ?? '');
        const cells = [`\`${name}\``, describeSchema(form), form.description ?? '', standard];
        return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
      });
      const table = ['| option | takes | | default |', '|---|---|---|---|', ...rows].join('\n');
      return `### ${type}\n\n${description}\n\n${table}\n`;
    });
    return `## ${kind[0]!.toUpperCase()}${kind.slice(1)}s\n\n${common.join('')}${stages.join('\n')}`;
  });
  return `# Stages in pipeline files

Every stage that a [pipeline file](guide/pipelines.md) can name, by its \`type\`. The options are those
of the function of the same name; functions among them only a program can give.

${kinds.join('\n')}
This page is made by \`npm run docs:stages\` from \`src/pipeline-file\`.
`;
}
