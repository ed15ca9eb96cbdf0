/** The small parts of the command line, each alone. */

import { PassThrough } from 'node:stream';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Arguments, bytesOption } from '../../../src/cli/command.ts';
import { explainError } from '../../../src/cli/explain.ts';
import { Interrupt, untilInterrupt } from '../../../src/cli/interrupt.ts';
import { limitSource } from '../../../src/cli/limit.ts';
import { Output } from '../../../src/cli/output.ts';
import { Progress } from '../../../src/cli/progress.ts';
import { fieldsOption } from '../../../src/cli/selection.ts';
import { Table } from '../../../src/cli/table.ts';
import { formatRate, formatSeconds, formatSize, formatValue } from '../../../src/cli/text.ts';
import { EtlError } from '../../../src/core/errors.ts';
import { prettyJson } from '../../../src/core/pretty-json.ts';
import type { Source } from '../../../src/core/stage.ts';
import { batchesOf, textsOf } from '../../support/transforms.ts';

describe('prettyJson', () => {
  it('says what JSON.stringify says with two spaces', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.constantFrom(0, 1, 3), (value, indent) => {
        const text = JSON.stringify(value, null, indent);
        expect(prettyJson(text)).toBe(JSON.stringify(JSON.parse(text), null, 2));
      }),
    );
  });

  it('leaves numbers, escapes and duplicate keys alone', () => {
    expect(prettyJson('{"a":1.0e+02,"a":"\\u00e9\\"{"}')).toBe(
      '{\n  "a": 1.0e+02,\n  "a": "\\u00e9\\"{"\n}',
    );
  });

  it('takes a text of any number of escapes, and ends where a string does not', () => {
    const text = `{"text":"${'\\n'.repeat(9e6)}"}`;
    expect(prettyJson(text) === `{\n  ${text.slice(1, -1).replace(':', ': ')}\n}`).toBe(true);
    expect(prettyJson('{"a\\"')).toBe('{\n  "a\\"');
  });
});

describe('limitSource', () => {
  const lines = Array.from({ length: 9 }, (_, n) => `{"n":${n}}`);
  const { signal } = new AbortController();
  const source: Source = {
    name: 'each',
    async *batches(_signal, _wants, from) {
      const { behind = 0 } = (from ?? {}) as { behind?: number };
      for (const [i, batch] of batchesOf(lines.slice(behind), 2).entries()) {
        const cursor = { behind: behind + i * 2 + batch.length };
        yield batch.withCursor(i % 2 === 0 ? undefined : cursor);
      }
    },
  };

  it.each([1, 3, 4, 5, 8, 9, 20])('gives %i in all, wherever it is opened again', async (most) => {
    const given: string[] = [];
    const cursors: { cursor: unknown; given: number }[] = [{ cursor: undefined, given: 0 }];
    for await (const batch of limitSource(source, most).batches(signal, {})) {
      given.push(...textsOf(batch));
      if (batch.cursor) cursors.push({ cursor: batch.cursor, given: given.length });
    }
    expect(given).toEqual(lines.slice(0, most));
    for (const { cursor, given: before } of cursors) {
      const rest: string[] = [];
      const from = cursor && JSON.parse(JSON.stringify(cursor));
      for await (const batch of limitSource(source, most).batches(signal, {}, from)) {
        rest.push(...textsOf(batch));
      }
      expect([...given.slice(0, before), ...rest]).toEqual(given);
    }
  });
});

describe('numbers for people', () => {
  const cases: [text: string, expected: string][] = [
    [formatSize(0), '0 B'],
    [formatSize(999), '999 B'],
    [formatSize(1000), '1.0 kB'],
    [formatSize(999_949), '999.9 kB'],
    [formatSize(999_999), '1.0 MB'],
    [formatSeconds(0.1234), '0.12 s'],
    [formatSeconds(9.999), '10 s'],
    [formatSeconds(59.6), '1:00'],
    [formatSeconds(3725), '1:02:05'],
    [formatRate(12), '12 /s'],
    [formatRate(999_600), '1.00 M/s'],
    [formatRate(1500), '2 k/s'],
    [formatValue('a\u001b[2Jb\n'), 'a\\u001b[2Jb\\u000a'],
    [formatValue({ a: [1, null] }), '{"a":[1,null]}'],
  ];
  for (const [text, expected] of cases) it(expected, () => expect(text).toBe(expected));
});

describe('options', () => {
  const given = (text: string) => ({ text: () => text }) as unknown as Arguments;

  it('sizes', () => {
    const sizes = { '1': 1, '32MiB': 33_554_432, '1.5 kB': 1500, '2g': 2e9, '4Ki': 4096 };
    for (const [text, size] of Object.entries(sizes))
      expect(bytesOption(given(text), 'x')).toBe(size);
    for (const text of ['', '0', '-1', '1x', '1e3', 'MiB', '1.2.3', '99999999g']) {
      expect(() => bytesOption(given(text), 'x'), text).toThrow(/size/);
    }
  });

  it('fields', () => {
    expect(fieldsOption(given('a, b.c,d\\,e'))).toEqual(['a', 'b.c', 'd\\,e']);
    for (const text of ['', ',', 'a,,b', ' ']) {
      expect(() => fieldsOption(given(text)), text).toThrow(/names/);
    }
  });
});

describe('untilInterrupt', () => {
  it('passes everything on, and closes the source when left early', async () => {
    let closed = false;
    async function* source() {
      try {
        yield* [1, 2, 3];
      } finally {
        closed = true;
      }
    }
    const all: number[] = [];
    for await (const item of untilInterrupt(source(), new Interrupt())) all.push(item);
    expect(all).toEqual([1, 2, 3]);
    closed = false;
    for await (const _ of untilInterrupt(source(), new Interrupt())) break;
    expect(closed).toBe(true);
  });

  it('ends while the source is silent', async () => {
    const interrupt = new Interrupt();
    async function* source() {
      yield 1;
      await new Promise(() => {});
    }
    const all: number[] = [];
    for await (const item of untilInterrupt(source(), interrupt)) {
      all.push(item);
      setTimeout(() => interrupt.request(), 5);
    }
    expect(all).toEqual([1]);
  });

  it('throws what the source throws', async () => {
    async function* source(): AsyncGenerator<number> {
      yield 1;
      throw new Error('broken');
    }
    const read = async () => {
      for await (const _ of untilInterrupt(source(), new Interrupt()));
    };
    await expect(read()).rejects.toThrow('broken');
  });
});

describe('Progress', () => {
  const at = (isTTY: boolean) => {
    const stream = Object.assign(new PassThrough(), { isTTY, columns: 80 });
    const clock = { ms: 0 };
    const progress = new Progress(stream, 'work', 2000, () => clock.ms);
    return { stream, clock, progress, text: () => String(stream.read() ?? '') };
  };

  it('draws ten times a second at most, within the terminal', () => {
    const { clock, progress, text } = at(true);
    let drawn = 0;
    for (clock.ms = 0; clock.ms < 1000; clock.ms += 5) {
      progress.add(123_456, 10);
      const line = text();
      if (line) drawn++;
      expect(line.length).toBeLessThanOrEqual(1 + 79 + 3);
    }
    expect(drawn).toBe(9);
  });

  it('knows share, rate and time left', () => {
    const { clock, progress, text } = at(true);
    clock.ms = 2000;
    progress.add(500, 1000);
    expect(text()).toBe(
      '\rwork [####....] 50%  2.00 s left  500 docs  250 /s  1.0 kB of 2.0 kB\u001b[K',
    );
    progress.clear();
    expect(text()).toBe('\r\u001b[K');
  });

  it('writes nothing where there is no terminal', () => {
    const { clock, progress, text } = at(false);
    clock.ms = 5000;
    progress.add(1, 1);
    progress.clear();
    expect(text()).toBe('');
  });
});

describe('Table', () => {
  const print = async (documents: Record<string, unknown>[], paths?: string[][]) => {
    const stream = new PassThrough();
    const table = new Table(new Output(stream), paths);
    for (const document of documents) await table.add(document);
    const hidden = await table.finish();
    let text = '';
    for (let chunk = stream.read(); chunk !== null; chunk = stream.read()) text += chunk;
    return { lines: text.split('\n'), hidden };
  };

  it('follows paths through arrays, and aligns numbers right', async () => {
    const { lines } = await print(
      [
        { n: 5, a: [{ b: 1 }, { b: 'x' }] },
        { n: 100, a: null },
      ],
      [['n'], ['a', 'b'], ['toString']],
    );
    expect(lines).toEqual([
      '  n  a.b      toString',
      '---  -------  --------',
      '  5  [1,"x"]',
      '100',
      '',
    ]);
  });

  it('cuts what is wider than the first rows, and names fields that come late', async () => {
    const documents = Array.from({ length: 100 }, () => ({ a: 'xx' }) as Record<string, unknown>);
    const { lines, hidden } = await print([...documents, { a: 'yyyy', late: 1 }]);
    expect(lines.at(-2)).toBe('y…');
    expect(hidden).toEqual(['late']);
  });
});

describe('explainError', () => {
  it('says place, problem, cause and advice in one line', () => {
    const cause = Object.assign(new Error('ENOSPC: no space left'), {
      syscall: 'write',
      code: 'ENOSPC',
    });
    const error = new EtlError('IO_ERROR', 'cannot be written', { place: { path: 'x' }, cause });
    expect(explainError(error, false)).toBe('x: cannot be written: ENOSPC: no space left\n');
    const coded = new EtlError('LOCKED', 'cannot be written (ENOSPC)', { cause });
    expect(explainError(coded, false)).toBe(
      `zds: cannot be written: ENOSPC: no space left (${coded.advice})\n`,
    );
    expect(explainError(error, true)).toMatch(/EtlError: x:.*caused by: Error: ENOSPC/s);
  });

  it('does not hide what is no EtlError', () => {
    expect(explainError(new TypeError('odd\nmore'), false)).toMatch(/^zds: odd \(unexpected/);
    expect(explainError('text', false)).toMatch(/^zds: text/);
  });
});
