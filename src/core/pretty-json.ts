/**
 * Indents JSON text without reading its values: numbers of any length, escapes and duplicate keys
 * come out as they went in. The text must be valid JSON.
 */
import { betweenStrings } from './between-strings.ts';

/** The text over several lines, two spaces a level. */
export function prettyJson(text: string): string {
  let depth = 0;
  const newLine = () => `\n${'  '.repeat(depth)}`;
  return betweenStrings(text, (between) => {
    let out = '';
    for (const token of between.match(/[{[]\s*[}\]]|[{}[\],:]|[^\s{}[\],:]+/g) ?? []) {
      if (token === '{' || token === '[') {
        depth++;
        out += token + newLine();
      } else if (token === '}' || token === ']') {
        depth--;
        out += newLine() + token;
      } else if (token === ',') out += token + newLine();
      else if (token === ':') out += ': ';
      else if (token[0] === '{' || token[0] === '[') out += token[0] === '{' ? '{}' : '[]';
      else out += token;
    }
    return out;
  });
}
