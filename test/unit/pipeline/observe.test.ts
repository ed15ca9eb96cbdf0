/** Who is told of a run: loggers, diagnostics channels, OpenTelemetry. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { describe, expect, it } from 'vitest';
import { type Logger, run, type Telemetry } from '../../../src/pipeline/index.ts';
import { jsonlSource } from '../../../src/sources/jsonl-source.ts';
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

  it('OpenTelemetry in a span and counters', async () => {
    const spans: Record<string, unknown>[] = [];
    const counted: Record<string, number> = {};
    const api: Telemetry = {
      trace: {
        getTracer: () => ({
          startSpan(name, options) {
            const span: Record<string, unknown> = { name, ...options?.attributes };
            spans.push(span);
            return {
              setAttributes: (attributes) => Object.assign(span, attributes),
              setStatus: ({ code }) => Object.assign(span, { code }),
              recordException: ({ message }) => void Object.assign(span, { message }),
              end: () => void Object.assign(span, { ended: true }),
            };
          },
        }),
      },
      metrics: {
        getMeter: () => ({
          createCounter: (name) => ({
            add(value) {
              counted[name] = (counted[name] ?? 0) + value;
            },
          }),
        }),
      },
    };
    const make = (error?: Error) => ({
      name: 'x',
      source: probeSource(5, 10, error ? { error } : {}),
      sink: probeSink(),
      telemetry: api,
      progressMs: 0,
    });
    await run(make());
    await run(make(new Error('why'))).done.catch(() => {});
    expect(spans).toMatchObject([
      { name: 'run x', 'zds.outcome': 'done', 'zds.read': 50, ended: true },
      { name: 'run x', 'zds.outcome': 'failed', code: 2, message: 'why', ended: true },
    ]);
    expect(spans[0]).not.toHaveProperty('code');
    expect(counted).toMatchObject({ 'zds.run.read': 100, 'zds.run.written': 100 });
  });
});
