/**
 * Traces and metrics by OpenTelemetry, through the module `@opentelemetry/api` that the caller hands
 * in: nothing is imported, and without an SDK behind the module every call does nothing.
 */
import type { RunCounts, RunOutcome } from '../core/run-info.ts';

type Attributes = Record<string, string | number | boolean>;

/** The part of `@opentelemetry/api` in use. */
export interface Telemetry {
  readonly trace: {
    getTracer(name: string): {
      startActiveSpan<T>(
        name: string,
        options: { attributes?: Attributes },
        work: (span: TelemetrySpan) => T,
      ): T;
    };
  };
  readonly metrics: {
    getMeter(name: string): {
      createCounter(
        name: string,
        options?: { description?: string; unit?: string },
      ): { add(value: number, attributes?: Attributes): void };
    };
  };
}

interface TelemetrySpan {
  setAttributes(attributes: Attributes): unknown;
  setStatus(status: { code: number; message?: string }): unknown;
  recordException(error: Error): void;
  end(): void;
}

const SCOPE = 'zds-stream';
/** `SpanStatusCode.ERROR`. */
const STATUS_ERROR = 2;
const COUNTED = ['read', 'written', 'filtered', 'rejected', 'expanded'] as const;

/** One span for the run, and counters that grow as it goes. */
export class RunTelemetry {
  readonly #api: Telemetry;
  readonly #name: string;
  readonly #attributes: Attributes;
  readonly #add: (counts: RunCounts) => void;
  #span: TelemetrySpan | undefined;

  constructor(api: Telemetry, run: string, loadId: string) {
    const attributes = { 'zds.run': run };
    this.#api = api;
    this.#name = `run ${run}`;
    this.#attributes = { ...attributes, 'zds.load_id': loadId };
    const meter = api.metrics.getMeter(SCOPE);
    const counters = COUNTED.map((name) => {
      const description = `Documents ${name}`;
      return meter.createCounter(`zds.run.${name}`, { description, unit: '{document}' });
    });
    const told = COUNTED.map(() => 0);
    this.#add = (counts) => {
      for (const [i, name] of COUNTED.entries()) {
        const more = counts[name] - told[i]!;
        if (more > 0) counters[i]!.add(more, attributes);
        told[i] = Math.max(told[i]!, counts[name]);
      }
    };
  }

  /** Starts the span, below the active one, and does the work in it: what stages start is below it. */
  within<T>(work: () => T): T {
    const tracer = this.#api.trace.getTracer(SCOPE);
    return tracer.startActiveSpan(this.#name, { attributes: this.#attributes }, (span) => {
      this.#span = span;
      return work();
    });
  }

  progressed(counts: RunCounts): void {
    this.#add(counts);
  }

  ended(counts: RunCounts, outcome: RunOutcome, error?: unknown): void {
    this.#add(counts);
    const attributes: Attributes = { 'zds.outcome': outcome };
    for (const name of COUNTED) attributes[`zds.${name}`] = counts[name];
    this.#span?.setAttributes(attributes);
    if (error !== undefined) {
      const failure = error instanceof Error ? error : new Error(String(error));
      this.#span?.recordException(failure);
      this.#span?.setStatus({ code: STATUS_ERROR, message: failure.message });
    }
    this.#span?.end();
  }
}
