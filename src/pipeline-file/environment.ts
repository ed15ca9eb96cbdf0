/**
 * `${NAME}` and `${NAME:-default}` in the texts of a pipeline file; `$${` stands for `${`. Everything
 * else that begins with `${` is an error, as is a variable that is not set: a pipeline that runs with an
 * empty password or path is worse than one that does not run.
 *
 * It happens after the file has been parsed, so a variable cannot change the file's structure; and what
 * came from a variable is kept apart, so that no message about the file shows it.
 */

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
    return text.replace(/\$\$\{|\$\{([^}]*)(\}|$)/g, (whole, inside: string, end: string) => {
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
      if (chosen !== undefined) return chosen;
      if (standard !== undefined) return standard;
      fault(`the environment has no ${name}; \${${name}:-default} would do without`);
      return whole;
    });
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
