/** Habits of files: sizes, headers, names, documented exports, nothing left lying about. */
import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import { listFiles, readText } from './project.ts';

const MAX_LINES = 400;
const CODE = /\.(ts|mjs|rs)$/;

describe('files', () => {
  const source = listFiles('src', CODE);
  const code = ['src', 'test', 'bench', 'scripts', 'examples'].flatMap((folder) => {
    return listFiles(folder, CODE);
  });

  it(`have at most ${MAX_LINES} lines`, () => {
    const long = code.map((file) => `${file}: ${readText(file).trimEnd().split('\n').length}`);
    expect(long.filter((line) => Number(line.split(': ')[1]) > MAX_LINES)).toEqual([]);
  });

  it('have kebab-case names', () => {
    const odd = code.filter((file) => !/^[a-z0-9-]+(\.[a-z0-9-]+)*$/.test(file.split('/').at(-1)!));
    expect(odd).toEqual([]);
  });

  it('say at their top what they are for', () => {
    const silent = source.filter((file) => !/^(#!.*\n)?(\/\*\*|\/\/)/.test(readText(file)));
    expect(silent).toEqual([]);
  });

  it('carry no unfinished work and no machine paths', () => {
    const words = new RegExp(['TO', 'DO|FIX', 'ME|/ho', 'me/|/wo', 'rk/'].join(''));
    expect(code.filter((file) => words.test(readText(file)))).toEqual([]);
  });

  it('export by name only', () => {
    expect(code.filter((file) => isOurs(file) && /^export default/m.test(readText(file)))).toEqual(
      [],
    );
  });

  it('document every export', () => {
    const plain = source.filter((file) => !file.startsWith('src/kernels/wasm/'));
    expect(plain.flatMap(undocumented)).toEqual([]);
  });

  it('would catch an undocumented export', () => {
    const text =
      '/** yes */ export const a = 1;\n\nexport const b = 2;\n\nexport interface C {\n  c: 1;\n}';
    expect(undocumentedIn('x.ts', text)).toEqual(['x.ts: b', 'x.ts: C']);
  });
});

/** AssemblyScript and configuration files have conventions of their own. */
function isOurs(file: string): boolean {
  return !file.startsWith('src/kernels/wasm/') && !file.includes('.config.');
}

function undocumented(file: string): string[] {
  return undocumentedIn(file, readText(file));
}

/**
 * A function or constant needs a comment of its own, or stands in a block (no blank line between)
 * under one that has; a type may speak through its members' comments; a class, and what is the only
 * export of its module, also through the module's header.
 */
function undocumentedIn(file: string, text: string): string[] {
  const parsed = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true);
  const names: string[] = [];
  const spokenFor = new Set<string>();
  let previousEnd = -1;
  for (const statement of parsed.statements) {
    const modifiers = ts.canHaveModifiers(statement) ? ts.getModifiers(statement) : undefined;
    if (!modifiers?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword)) continue;
    const block = text.slice(previousEnd, statement.getStart()) === '\n';
    const documented = speaks(statement) || (block && previousEnd > 0);
    previousEnd = documented ? statement.end : -1;
    for (const name of namesOf(statement)) {
      // The first of several overloads speaks for all.
      if (documented) spokenFor.add(name);
      else if (!spokenFor.has(name)) names.push(`${file}: ${name}`);
    }
  }
  const alone = names.length === 1 && spokenFor.size === 0 && text.trimStart().startsWith('/**');
  return alone ? [] : names;
}

function speaks(statement: ts.Statement): boolean {
  const hasComment = (node: ts.Node) => ts.getJSDocCommentsAndTags(node).length > 0;
  if (hasComment(statement) || ts.isClassDeclaration(statement)) return true;
  if (ts.isInterfaceDeclaration(statement)) return statement.members.some(hasComment);
  return ts.isTypeAliasDeclaration(statement);
}

function namesOf(statement: ts.Statement): string[] {
  if (ts.isVariableStatement(statement)) {
    return statement.declarationList.declarations.map(({ name }) => name.getText());
  }
  const { name } = statement as ts.DeclarationStatement;
  return name ? [name.getText()] : [];
}
