/**
 * `${NAME}` and `${NAME:-default}` in the texts of a pipeline file; `$${` stands for `${`. Everything
 * else that begins with `${` is an error, as is a variable that is not set: a pipeline that runs with an
 * empty password or path is worse than one that does not run.
 *
 * It happens after the file has been parsed, so a variable cannot change the file's structure; and what
 * came from a variable is kept apart, so that no message about the file shows it.
 */
import { literalAfter } from '../core/expression-lexer.ts';

/** Variables by name. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** What is shorter cannot be kept from anybody, and hiding every 1 would hide what a message says. */
const SHORTEST_SECRET = 4;

/** Texts with variables put in, and which these were. */
export class Interpolation {
  readonly #environment: Environment;
  /** Values that were put in, with the names they came from. */
  readonly #used = new Map<string, string>();

  constructor(environment: Environment) {
    this.#environment = environment;
  }

  /** The text with its variables; `fault` is told what is wrong with it. */
  fill(text: string, fault: (problem: string) => void): string {
    return this.#fill(text, fault, (value) => value);
  }

  /**
   * The same of a where-expression, for a text that `fill` finds nothing wrong with: a value is a literal in it,
   * which changes no condition; `fault` is told where it cannot be one. A text that is one variable and nothing
   * else leaves the whole expression to it.
   */
  fillExpression(text: string, fault: (problem: string) => void): string {
    const isWhole = /^\$\{[^}]*\}$/.test(text);
    return this.#fill(
      text,
      () => {},
      (value, name, before) => {
        const literal = isWhole ? value : literalAfter(before, value);
        if (literal !== undefined) return literal;
        fault(
          `\${${name}} takes a number, true, false or null here; other text needs quotes around it`,
        );
        return '';
      },
    );
  }

  /** `write` is given a value with its name, and what stands before it. */
  #fill(
    text: string,
    fault: (problem: string) => void,
    write: (value: string, name: string, before: string) => string,
  ): string {
    let filled = '';
    let last = 0;
    for (const match of text.matchAll(/\$\$\{|\$\{([^}]*)(\}|$)/g)) {
      const [whole, inside, end] = match as unknown as [string, string, string];
      filled += text.slice(last, match.index);
      filled += this.#one(whole, inside, end, fault, (value, name) => write(value, name, filled));
      last = match.index + whole.length;
    }
    return filled + text.slice(last);
  }

  #one(
    whole: string,
    inside: string,
    end: string,
    fault: (problem: string) => void,
    write: (value: string, name: string) => string,
  ): string {
    if (whole === '$${') return '${';
    const found = /^([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?$/s.exec(inside);
    if (!found || end === '') {
      fault(`takes \${NAME} and \${NAME:-default}, nothing else; $\${ stands for \${`);
      return whole;
    }
    const [, name, standard] = found as unknown as [string, string, string | undefined];
    const value = this.#environment[name];
    // As in a shell, `:-` is also for what is set to nothing.
    const chosen = value === '' && standard !== undefined ? undefined : value;
    if (chosen) this.#used.set(chosen, name);
    if (chosen !== undefined) return write(chosen, name);
    if (standard !== undefined) return standard;
    fault(`the environment has no ${name}; \${${name}:-default} would do without`);
    return whole;
  }

  /** A message without what came from variables, as it is or with escapes. */
  hide(message: string): string {
    const longestFirst = [...this.#used].sort(([a], [b]) => b.length - a.length);
    return longestFirst.reduce((hidden, [value, name]) => {
      if (value.length < SHORTEST_SECRET) return hidden;
      const forms = [value, JSON.stringify(value).slice(1, -1), encodeURIComponent(value)];
      return forms.reduce((text, form) => text.replaceAll(form, `\${${name}}`), hidden);
    }, message);
  }
}
