/**
 * Telling others what runs do: a logger handed in, and `diagnostics_channel` for tools that nobody
 * handed in. What listeners throw there, Node reports on its own; it does not touch the run.
 */
import { channel } from 'node:diagnostics_channel';
import { isEtlError } from '../core/errors.ts';
import type { Reject } from '../core/reject.ts';
import type { RunTotals } from '../core/run-info.ts';
import { describeReject } from './dead-letter.ts';
import type { RunProgress } from './options.ts';

/** What pino, winston or `console`-like objects have; fields first, as pino takes them. */
export interface Logger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** Who is told. */
export interface RunNames {
  readonly run: string;
  readonly loadId: string;
}

const channels = {
  start: channel('zds-stream.run.start'),
  progress: channel('zds-stream.run.progress'),
  reject: channel('zds-stream.run.reject'),
  retry: channel('zds-stream.run.retry'),
  end: channel('zds-stream.run.end'),
};

/** The voice of one run. */
export class Observer {
  readonly #names: RunNames;
  readonly #logger: Logger | undefined;

  constructor(names: RunNames, logger: Logger | undefined) {
    this.#names = names;
    this.#logger = logger;
  }

  /** `dropped`: what transforms remembered that are no longer there. */
  started(stages: readonly string[], resumed: boolean, dropped: readonly string[]): void {
    if (dropped.length === 0) this.#tell('start', 'info', { stages, resumed }, 'run started');
    else this.#tell('start', 'warn', { stages, resumed, dropped }, 'run started; states dropped');
  }

  progressed({ stages: _, ...progress }: RunProgress): void {
    this.#tell('progress', 'debug', progress, 'run in progress');
  }

  rejected(reject: Reject, stage: string): void {
    const { raw: _, rawBase64: __, ...fields } = describeReject(reject, stage);
    this.#tell('reject', 'warn', fields, 'record rejected');
  }

  retried(stage: string, attempt: number, waitMs: number, error: unknown): void {
    this.#tell(
      'retry',
      'warn',
      { stage, attempt, waitMs, ...describeError(error) },
      'trying again',
    );
  }

  ended(totals: RunTotals, error?: unknown): void {
    const fields = { ...totals, ...(error === undefined ? {} : describeError(error)) };
    this.#tell('end', error === undefined ? 'info' : 'error', fields, `run ${totals.outcome}`);
  }

  #tell(
    name: keyof typeof channels,
    level: keyof Logger,
    fields: Readonly<Record<string, unknown>>,
    message: string,
  ): void {
    const all = { ...this.#names, ...fields };
    if (channels[name].hasSubscribers) channels[name].publish(all);
    this.#logger?.[level](all, message);
  }
}

function describeError(error: unknown): Record<string, unknown> {
  const message = error instanceof Error ? error.message : String(error);
  return { error: message, ...(isEtlError(error) ? { code: error.code, place: error.place } : {}) };
}
