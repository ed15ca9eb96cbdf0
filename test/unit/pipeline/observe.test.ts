/** Who is told of a run: loggers, diagnostics channels, OpenTelemetry. */
import { AsyncLocalStorage } from 'node:async_hooks';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import * as api from '@opentelemetry/api';
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics';
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-base';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Logger, run } from '../../../src/pipeline/index.ts';
import { generateSource } from '../../../src/sources/generate-source.ts';
import { jsonlSource } from '../../../src/sources/jsonl-source.ts';
import { tap } from '../../../src/stages.ts';
import { probeSink, probeSource } from '../../support/stages.ts';

type Told = { level: string; message: string } & Record<string, unknown>;

function collect(): { told: Told[]; logger: Logger } {
  const told: Told[] = [];
  const at = (level: string) => (fields: object, message: string) => {
    told.push({ level, message, ...fields });
  };
  const logger = { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
  return { told, logger };
}

describe('a run tells', () => {
  it('a logger and the channels the same, without the records themselves', async () => {
    const { told, logger } = collect();
    const heard: unknown[] = [];
    const listen = (message: unknown, name: string | symbol) => heard.push([name, message]);
    const names = ['start', 'reject', 'progress', 'end'].map((each) => `zds-stream.run.${each}`);
    for (const name of names) subscribe(name, listen);
    const source = jsonlSource([Buffer.from('{"a":1}\n{secret\n')]);
    const handle = run({ name: 'x', source, sink: probeSink(), onError: 'skip', logger });
    await handle;
    for (const name of names) unsubscribe(name, listen);
    const levels = told.map(({ level, message }) => `${level}: ${message}`);
    expect(levels[0]).toBe('info: run started');
    expect(levels).toContain('warn: record rejected');
    expect(levels.at(-1)).toBe('info: run done');
    expect(told.every(({ run, loadId }) => run === 'x' && loadId === handle.loadId)).toBe(true);
    expect(JSON.stringify(told)).not.toContain('secret');
    expect(heard).toHaveLength(told.length);
    expect(heard.at(-1)).toMatchObject(['zds-stream.run.end', { read: 2, rejected: 1 }]);
  });

  it('of its failure', async () => {
    const { told, logger } = collect();
    const source = probeSource(1, 1, { error: new Error('why') });
    await run({ name: 'x', source, sink: probeSink(), logger }).done.catch(() => {});
    expect(told.at(-1)).toMatchObject({ level: 'error', message: 'run failed', error: 'why' });
  });

  describe('OpenTelemetry', () => {
    const spans = new InMemorySpanExporter();
    const metrics = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
    const reader = new PeriodicExportingMetricReader({
      exporter: metrics,
      exportIntervalMillis: 60_000,
    });
    const traces = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(spans)] });

    beforeAll(() => {
      api.context.setGlobalContextManager(new Contexts());
      api.trace.setGlobalTracerProvider(traces);
      api.metrics.setGlobalMeterProvider(new MeterProvider({ readers: [reader] }));
    });
    beforeEach(() => spans.reset());
    afterAll(async () => {
      await reader.shutdown();
      for (const each of [api.context, api.trace, api.metrics]) each.disable();
    });

    const options = { name: 'x', telemetry: api, progressMs: 0 };

    it('in a span below the caller’s, with those of its stages below it', async () => {
      const tracer = api.trace.getTracer('mine');
      const look = tap(async ({ ordinal }) => {
        await Promise.resolve();
        if (ordinal === 7) tracer.startSpan('stage').end();
      });
      const handle = await tracer.startActiveSpan('job', async (span) => {
        const handle = run({
          ...options,
          source: generateSource({ documents: 10, shape: { ordinal: 'ordinal' } }),
          transforms: [look],
          sink: probeSink(),
        });
        await handle;
        span.end();
        return handle;
      });
      const [stage, whole, job] = spans.getFinishedSpans();
      expect([stage?.name, whole?.name, job?.name]).toEqual(['stage', 'run x', 'job']);
      expect(stage?.parentSpanContext?.spanId).toBe(whole?.spanContext().spanId);
      expect(whole?.parentSpanContext?.spanId).toBe(job?.spanContext().spanId);
      expect(whole?.attributes).toEqual({
        'zds.run': 'x',
        'zds.load_id': handle.loadId,
        'zds.outcome': 'done',
        'zds.read': 10,
        'zds.written': 10,
        'zds.filtered': 0,
        'zds.rejected': 0,
        'zds.expanded': 0,
      });
      expect(whole?.status.code).toBe(api.SpanStatusCode.UNSET);
    });

    it('of a failure, with the exception', async () => {
      const source = probeSource(5, 10, { error: new TypeError('why') });
      await run({ ...options, source, sink: probeSink() }).done.catch(() => {});
      const [whole, ...more] = spans.getFinishedSpans();
      expect(more).toEqual([]);
      expect(whole?.status).toEqual({ code: api.SpanStatusCode.ERROR, message: 'why' });
      expect(whole?.events).toMatchObject([
        { name: 'exception', attributes: { 'exception.type': 'TypeError' } },
      ]);
      expect(whole?.attributes).toMatchObject({ 'zds.outcome': 'failed', 'zds.read': 50 });
    });

    it('in counters that grow from run to run', async () => {
      const once = () =>
        run({ ...options, name: 'counted', source: probeSource(5, 10), sink: probeSink() });
      await once();
      await once();
      await reader.forceFlush();
      const found: Record<string, unknown> = {};
      for (const { metrics: each } of metrics.getMetrics().at(-1)?.scopeMetrics ?? []) {
        for (const { descriptor, dataPoints } of each) {
          for (const { value, attributes } of dataPoints) {
            if (attributes['zds.run'] === 'counted') found[descriptor.name] = value;
          }
        }
      }
      expect(found).toEqual({ 'zds.run.read': 100, 'zds.run.written': 100 });
    });
  });
});

/** What `@opentelemetry/context-async-hooks` does, as far as it is needed here. */
class Contexts implements api.ContextManager {
  readonly #storage = new AsyncLocalStorage<api.Context>();

  active(): api.Context {
    return this.#storage.getStore() ?? api.ROOT_CONTEXT;
  }

  with<A extends unknown[], F extends (...args: A) => ReturnType<F>>(
    context: api.Context,
    work: F,
    self?: ThisParameterType<F>,
    ...args: A
  ): ReturnType<F> {
    return this.#storage.run(context, () => work.call(self, ...args));
  }

  bind<T>(_context: api.Context, target: T): T {
    return target;
  }

  enable(): this {
    return this;
  }

  disable(): this {
    return this;
  }
}
