import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Batch, KeyKind, LineRecord, RECORD_WORDS } from '../../src/core/batch.ts';
import { faultReasons, type Kernel } from '../../src/kernels/index.ts';
import { kernels } from '../support/kernels.ts';
import { runs } from '../support/long.ts';
import {
  chunk,
  concat,
  denseChunk,
  documentLines,
  jsonObject,
  mutated,
} from '../support/random-documents.ts';
import { exactText, referenceLines } from '../support/reference-lines.ts';

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

describe.each(kernels)('lines of the $name kernel', (kernel) => {
  it('are what JSON.parse says of any chunk', () => {
    fc.assert(
      fc.property(chunk, (bytes) => checkLines(kernel, bytes)),
      { numRuns: runs(400) },
    );
  });

  it('are what JSON.parse says of random bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => checkLines(kernel, bytes)),
      { numRuns: runs(300) },
    );
  });

  it('are what JSON.parse says after one byte changed', () => {
    fc.assert(
      fc.property(fc.array(mutated(jsonObject), { minLength: 1, maxLength: 12 }), (lines) => {
        checkLines(kernel, concat(lines.flatMap((line) => [line, Uint8Array.of(0x0a)])));
      }),
      { numRuns: runs(400) },
    );
  });

  it('are what JSON.parse says of every truncation', () => {
    fc.assert(
      fc.property(jsonObject, (line) => {
        const bytes = encoder.encode(line);
        const cuts = Array.from({ length: bytes.length + 1 }, (_, i) => bytes.subarray(0, i));
        for (const cut of cuts.slice(-3)) checkLines(kernel, cut);
        checkLines(kernel, concat(cuts.flatMap((cut) => [cut, Uint8Array.of(0x0a)])));
      }),
      { numRuns: runs(40) },
    );
  });

  it('respect the depth allowed', () => {
    fc.assert(
      fc.property(chunk, fc.integer({ min: 1, max: 4 }), (bytes, maxDepth) => {
        checkLines(kernel, bytes, maxDepth);
      }),
      { numRuns: runs(200) },
    );
  });

  it('respect the depth allowed where lines of the same shape were read when more was', () => {
    // As many as it takes until such lines are read by a plan, whatever was read before.
    const bytes = encoder.encode('{"a":{"b":{"c":1}}}\n'.repeat(400));
    checkLines(kernel, bytes);
    checkLines(kernel, bytes, 2);
  });

  it('do not depend on how the bytes are cut into chunks at line ends', () => {
    fc.assert(
      fc.property(chunk, fc.nat(), (bytes, at) => {
        const cut = bytes.indexOf(0x0a, at % (bytes.length + 1)) + 1;
        const whole = kernel.lines(bytes);
        const parts = [kernel.lines(bytes.slice(0, cut)), kernel.lines(bytes.slice(cut))];
        expect(parts[0]!.count + parts[1]!.count).toBe(whole.count);
        expect(parts[0]!.lineCount + parts[1]!.lineCount).toBe(whole.lineCount);
        expect(parts.flatMap(documentsOf(kernel))).toEqual(documentsOf(kernel)(whole));
      }),
      { numRuns: runs(200) },
    );
  });

  it('name the first byte at which no document can go on', () => {
    const line = fc.oneof(mutated(jsonObject), fc.uint8Array({ maxLength: 8 }));
    fc.assert(
      fc.property(line, (bytes) => {
        const fault = kernel.lines(bytes.map((byte) => (byte === 0x0a ? 0x20 : byte))).bad[0];
        if (fault?.code !== 'JSON_ERROR') return;
        const content = bytes.subarray(0, fault.end);
        expect(canGoOn(content.subarray(0, fault.offset))).toBe(true);
        if (fault.offset < fault.end && content[fault.offset]! < 0x80) {
          expect(canGoOn(content.subarray(0, fault.offset + 1))).toBe(false);
        }
      }),
      { numRuns: runs(500) },
    );
  });

  it('have the key wherever it stands', () => {
    const path = fc.constantFrom(['_id'], ['a'], ['a', 'b'], ['é'], ['__proto__', 'a'], ['\ud800']);
    fc.assert(
      fc.property(chunk, path, (bytes, key) => {
        const table = kernel.lines(bytes, { key });
        const documents = kernel.codec.decode(bytes, table.records, table.count);
        for (const [i, document] of documents.entries()) {
          const record = table.records.subarray(i * RECORD_WORDS, (i + 1) * RECORD_WORDS);
          checkKey(kernel, bytes, record, valueAt(document, key));
        }
      }),
      { numRuns: runs(400) },
    );
  });

  it('are the same objects and the same bytes after decoding and encoding', () => {
    fc.assert(
      fc.property(documentLines, (lines) => {
        const documents = lines.map((line) => JSON.parse(line));
        const encoded = kernel.codec.encode(documents);
        const text = lines.map((line) => `${JSON.stringify(JSON.parse(line))}\n`).join('');
        expect(decoder.decode(encoded.bytes)).toBe(text);
        expect(encoded.dense).toBe(true);
        const again = kernel.lines(encoded.bytes);
        expect(again.records).toEqual(encoded.records.subarray(0, encoded.count * RECORD_WORDS));
        expect(again.bad).toEqual([]);
        const decoded = kernel.codec.decode(encoded.bytes, encoded.records, encoded.count);
        expect(JSON.stringify(decoded)).toBe(JSON.stringify(documents));
      }),
      { numRuns: runs(300) },
    );
  });

  it('stay the same documents when a batch is made dense', () => {
    fc.assert(
      fc.property(chunk, (bytes) => {
        const table = kernel.lines(bytes);
        const batch = Batch.fromLines(table, kernel.codec);
        const dense = kernel.lines(batch.bytes());
        expect(dense.dense).toBe(true);
        expect(dense.bad).toEqual([]);
        expect(documentsOf(kernel)(dense)).toEqual(documentsOf(kernel)(table));
      }),
      { numRuns: runs(150) },
    );
  });

  it('are canonical only if they begin with the one plain _id', () => {
    fc.assert(
      fc.property(fc.oneof(denseChunk, chunk), (bytes) => {
        const { canonical, dense, records, count } = kernel.lines(bytes);
        const text = decoder.decode(bytes);
        const lines = text.split('\n').slice(0, -1);
        const starts = lines.every((line) => line.startsWith('{"_id":"'));
        if (canonical) expect(dense && starts).toBe(true);
        for (let i = 0; canonical && i < count; i++) {
          expect(records[i * RECORD_WORDS + LineRecord.keyKind]).toBe(KeyKind.plain);
          expect(records[i * RECORD_WORDS + LineRecord.keyStart]).toBe(
            records[i * RECORD_WORDS + LineRecord.start]! + 8,
          );
        }
      }),
      { numRuns: runs(200) },
    );
  });
});

describe('kernels', () => {
  it('give the same line tables, bad lines included', () => {
    const [twin, ...others] = kernels;
    fc.assert(
      fc.property(chunk, fc.constantFrom(2, 512), (bytes, maxDepth) => {
        const expected = plain(twin!.lines(bytes, { maxDepth }));
        for (const kernel of others) {
          expect(plain(kernel.lines(bytes, { maxDepth }))).toEqual(expected);
        }
      }),
      { numRuns: runs(others.length > 0 ? 600 : 10) },
    );
  });
});

function checkLines(kernel: Kernel, bytes: Uint8Array, maxDepth = 512): void {
  const before = bytes.slice();
  const table = kernel.lines(bytes, { maxDepth });
  const decoded = kernel.codec.decode(bytes, table.records, table.count);
  const expected = referenceLines(bytes, maxDepth);
  const good = expected.filter(({ document }) => document !== undefined);
  const bad = expected.filter(({ document }) => document === undefined);
  const newlines = bytes.filter((byte) => byte === 0x0a).length;
  const isOpen = bytes.length > 0 && bytes.at(-1) !== 0x0a;
  // One comparison for all: `expect` costs more than what it checks here.
  expect({
    untouched: Buffer.from(bytes).equals(before),
    dense: table.dense,
    lineCount: table.lineCount,
    good: decoded.map((document, i) => {
      const record = table.records.subarray(i * RECORD_WORDS, (i + 1) * RECORD_WORDS);
      const content = decoder.decode(bytes.subarray(record[0], record[1]));
      return [record[LineRecord.line], content, exactText(document)];
    }),
    bad: table.bad.map(({ line, start, end, before }) => [line, start, end, before]),
  }).toEqual({
    untouched: true,
    dense:
      decoder.decode(bytes) ===
      good
        .map(
          ({ start, end }) => `${trimmed(bytes.subarray(start, end))}
`,
        )
        .join(''),
    lineCount: newlines + (isOpen ? 1 : 0),
    good: good.map(({ line, start, end, document }) => {
      return [line, trimmed(bytes.subarray(start, end)), exactText(document)];
    }),
    bad: bad.map(({ line, start, end }) => {
      return [line, start, end, good.filter((document) => document.line < line).length];
    }),
  });
  const isPlaced = table.bad.every(
    ({ offset, start, end, reason }) =>
      offset >= start && offset <= end && faultReasons.indexOf(reason) > 0,
  );
  expect(isPlaced).toBe(true);
}

function checkKey(kernel: Kernel, bytes: Uint8Array, record: Uint32Array, value: unknown): void {
  const kind = record[LineRecord.keyKind];
  const raw = decoder.decode(
    bytes.subarray(record[LineRecord.keyStart], record[LineRecord.keyEnd]),
  );
  if (typeof value === 'string') {
    expect(kind).toBe(raw.includes('\\') ? KeyKind.escaped : KeyKind.plain);
    expect(JSON.parse(`"${raw}"`)).toBe(value);
    kernel.hashKey(value);
    expect(record.subarray(LineRecord.hashLow)).toEqual(kernel.keyHash);
    return;
  }
  expect([...record.subarray(LineRecord.hashLow)]).toEqual([0, 0]);
  if (value === undefined) expect([kind, raw]).toEqual([KeyKind.missing, '']);
  else if (typeof value === 'number') {
    expect([kind, Number(raw)]).toEqual([KeyKind.number, value]);
  } else {
    expect(kind).toBe(KeyKind.other);
    expect(JSON.parse(raw)).toEqual(value);
  }
}

function valueAt(document: unknown, path: readonly string[]): unknown {
  let value = document;
  for (const step of path) {
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
    if (!isObject || !Object.hasOwn(value as object, step)) return undefined;
    value = (value as Record<string, unknown>)[step];
  }
  return value;
}

function documentsOf(kernel: Kernel): (table: ReturnType<Kernel['lines']>) => unknown[] {
  return ({ bytes, records, count }) => kernel.codec.decode(bytes, records, count);
}

/** The table with its arrays as text, which compares faster. */
function plain(table: ReturnType<Kernel['lines']>): unknown {
  const records = table.records.subarray(0, table.count * RECORD_WORDS).join();
  return { ...table, bytes: table.bytes.join(), records };
}

function trimmed(line: Uint8Array): string {
  return decoder.decode(line).replace(/^[ \t\r]+|[ \t\r]+$/g, '');
}

const insideToken = ['', '"', 'n"', '0000"', '000"', '00"', '0"', '0', 'rue', 'ue', 'e', 'alse'];
const rest = [...insideToken, 'lse', 'se', 'ull', 'll', 'l', '{}', '""'];
const afterToken = ['', ':0', '0', '"":0'];

/** Whether some ending makes the bytes a JSON text; tries every way a token can end. */
function canGoOn(prefix: Uint8Array): boolean {
  const text = decoder.decode(prefix);
  return rest.some((end) =>
    afterToken.some((more) => {
      const tried = text + end + more;
      const open: string[] = [];
      for (const token of tried.match(/"(?:[^"\\]|\\.)*"|[{}[\]]/g) ?? []) {
        if (token === '{') open.push('}');
        else if (token === '[') open.push(']');
        else if (token === '}' || token === ']') open.pop();
      }
      return parses(tried + open.reverse().join(''));
    }),
  );
}

function parses(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
