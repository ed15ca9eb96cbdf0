/**
 * The Rust programs of this folder as objects: commands out, answers in, one at a time. Whoever
 * starts one ends it with `stop`.
 */
import { type ChildProcessWithoutNullStreams, execFileSync, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const folder = fileURLToPath(new URL('.', import.meta.url));

/** The programs: `zippy-oracle` on zippy_data, `drive-oracle` on simd-r-drive. */
export type OracleName = 'zippy-oracle' | 'drive-oracle';

/** Why the crate cannot be asked here; undefined when it can. */
export function whyNoOracle(): string | undefined {
  if (process.env.ZDS_INTEROP !== '1') return 'set ZDS_INTEROP=1 to run it';
  try {
    execFileSync('cargo', ['--version'], { stdio: 'ignore' });
    return undefined;
  } catch {
    return 'cargo is missing';
  }
}

/** An error that the crate answered; `kind` is the name of its variant. */
export class OracleError extends Error {
  readonly kind: string;

  constructor(kind: string, message: string) {
    super(`${kind}: ${message}`);
    this.kind = kind;
  }
}

/** What the crate holds under each id. */
export type CrateDocuments = { readonly [id: string]: unknown };

/** A running program. */
export class Oracle {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #answers: AsyncIterator<string>;

  private constructor(child: ChildProcessWithoutNullStreams) {
    this.#child = child;
    this.#answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  }

  /** Builds the program where it is not current, and starts it. */
  static start(name: OracleName = 'zippy-oracle'): Oracle {
    execFileSync('cargo', ['build', '--release', '--locked', '--quiet'], { cwd: folder });
    const program = `${folder}target/release/${name}`;
    return new Oracle(spawn(program, { stdio: ['pipe', 'pipe', 'inherit'] }) as never);
  }

  /** Carries out one command and answers what it told. Errors: OracleError. */
  async ask<T = unknown>(op: string, fields: object = {}): Promise<T> {
    this.#child.stdin.write(`${JSON.stringify({ op, ...fields })}\n`);
    const { value, done } = await this.#answers.next();
    if (done) throw new Error(`the program ended at ${op}`);
    const answer = JSON.parse(value) as { ok?: T; error?: string; message?: string };
    if (answer.error !== undefined) throw new OracleError(answer.error, answer.message ?? '');
    return answer.ok as T;
  }

  stop(): void {
    this.#child.stdin.end();
  }
}
