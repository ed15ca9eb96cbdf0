/** docs/errors.md is made from the table of errors: `npm run docs:errors` writes it anew. */
import { expect, it } from 'vitest';
import { errorTable } from '../../src/core/errors.ts';

it('docs/errors.md says what the table says', async () => {
  const rows = Object.entries(errorTable).map(([code, advice]) => `| \`${code}\` | ${advice} |`);
  await expect(errorsPage(rows)).toMatchFileSnapshot('../../docs/errors.md');
});

function errorsPage(rows: readonly string[]): string {
  return `# Errors

Every error of the package is an \`EtlError\`: \`code\` is one of these and stays stable, \`place\`
says where (\`path\` or \`url\`, \`line\`, \`column\`, byte \`offset\`, \`ordinal\`, as far as known),
\`advice\` is the text below, \`cause\` is what led to it. Branch on \`code\`, never on the message;
\`isEtlError(error, 'JSON_ERROR')\` asks for one. On the command line INVALID_ARGUMENT and
INVALID_EXPRESSION end with exit code 2, all others with 1.

| code | advice |
|---|---|
${rows.join('\n')}

This page is made by \`npm run docs:errors\` from the table in \`src/core/errors.ts\`.
`;
}
