/**
 * Standard error as JSON Lines (`--log json`): an object for each thing that a run tells its logger, and
 * for each line that a command writes, so that whatever reads it need not guess.
 *
 * Each has `time` (ISO 8601), `level` (`info`, `warn`, `error`) and `message`; those of a run also
 * `run`, `loadId` and what else is told of it. How far a run is, it does not tell here.
 */
import { Writable } from 'node:stream';
import type { Logger } from '../pipeline/index.ts';

/** True if a command line asks for it. */
export function asksForJsonLog(argv: readonly string[]): boolean {
  return argv.some(
    (each, i) => each === '--log=json' || (each === '--log' && argv[i + 1] === 'json'),
  );
}

/** A stream in place of standard error; also the logger of runs. */
export class JsonLog extends Writable implements Logger {
  readonly #target: Writable;

  constructor(target: Writable) {
    super({ decodeStrings: false });
    this.#target = target;
  }

  debug(): void {}

  info(fields: object, message: string): void {
    this.#tell('info', fields, message);
  }

  warn(fields: object, message: string): void {
    this.#tell('warn', fields, message);
  }

  error(fields: object, message: string): void {
    this.#tell('error', fields, message);
  }

  override _write(text: string | Buffer, _encoding: string, callback: () => void): void {
    for (const line of text.toString().split('\n')) if (line !== '') this.info({}, line);
    callback();
  }

  #tell(level: string, fields: object, message: string): void {
    const time = new Date().toISOString();
    this.#target.write(`${JSON.stringify({ time, level, message, ...fields })}\n`);
  }
}
