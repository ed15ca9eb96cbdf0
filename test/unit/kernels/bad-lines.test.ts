import { describe, expect, it } from 'vitest';
import { LineRecord } from '../../../src/core/batch.ts';
import { faultCode, faultReasons, MAX_DEPTH, Reason } from '../../../src/kernels/index.ts';
import { kernels } from '../../support/kernels.ts';

const R = Reason;
/** A line as latin1 (bytes above 0x7f as they are), the offset of its fault, and why. */
const bad: readonly (readonly [string, number, number])[] = [
  ['{', 1, R.unexpectedEnd],
  ['{"a"', 4, R.unexpectedEnd],
  ['{"a":', 5, R.unexpectedEnd],
  ['{"a":1', 6, R.unexpectedEnd],
  ['{"a":1,', 7, R.unexpectedEnd],
  ['{"a":[', 6, R.unexpectedEnd],
  ['{"a":[1', 7, R.unexpectedEnd],
  ['{"a":[1,', 8, R.unexpectedEnd],
  ['{"a', 3, R.unexpectedEnd],
  ['{"a\\', 4, R.unexpectedEnd],
  ['{"a\\u12', 7, R.unexpectedEnd],
  ['{"a":-', 6, R.unexpectedEnd],
  ['{"a":1.', 7, R.unexpectedEnd],
  ['{"a":1e', 7, R.unexpectedEnd],
  ['{"a":1e+', 8, R.unexpectedEnd],
  ['{"a":tru', 8, R.unexpectedEnd],
  ['{a:1}', 1, R.expectedKey],
  ["{'a':1}", 1, R.expectedKey],
  ['{,}', 1, R.expectedKey],
  ['{"a":1,}', 7, R.expectedKey],
  ['{"a":1,2}', 7, R.expectedKey],
  ['{1:2}', 1, R.expectedKey],
  ['{"a" 1}', 5, R.expectedColon],
  ['{"a"}', 4, R.expectedColon],
  ['{"a"::1}', 5, R.expectedValue],
  ['{"a":}', 5, R.expectedValue],
  ['{"a":,}', 5, R.expectedValue],
  ['{"a":[,]}', 6, R.expectedValue],
  ['{"a":[1,]}', 8, R.expectedValue],
  ['{"a":+1}', 5, R.expectedValue],
  ['{"a":.5}', 5, R.expectedValue],
  ['{"a":NaN}', 5, R.expectedValue],
  ['{"a":nUll}', 6, R.expectedValue],
  ['{"a":truX}', 8, R.expectedValue],
  ['{"a":falsy}', 9, R.expectedValue],
  ['{"a":undefined}', 5, R.expectedValue],
  ['hello', 0, R.expectedValue],
  ['}', 0, R.expectedValue],
  ['{"a":truee}', 9, R.expectedCommaOrBrace],
  ['{"a":1 2}', 7, R.expectedCommaOrBrace],
  ['{"a":1]', 6, R.expectedCommaOrBrace],
  ['{"a":0x1}', 6, R.expectedCommaOrBrace],
  ['{"a":"b" "c":1}', 9, R.expectedCommaOrBrace],
  ['{"a":[1 2]}', 8, R.expectedCommaOrBracket],
  ['{"a":[1}', 7, R.expectedCommaOrBracket],
  ['{"a":[[]"b"]}', 8, R.expectedCommaOrBracket],
  ['{"a":01}', 6, R.badNumber],
  ['{"a":-01}', 7, R.badNumber],
  ['{"a":00}', 6, R.badNumber],
  ['{"a":-}', 6, R.badNumber],
  ['{"a":-a}', 6, R.badNumber],
  ['{"a":1.}', 7, R.badNumber],
  ['{"a":1.e5}', 7, R.badNumber],
  ['{"a":1e}', 7, R.badNumber],
  ['{"a":1e+}', 8, R.badNumber],
  ['{"a":1E-x}', 8, R.badNumber],
  ['{"a":"\t"}', 6, R.controlCharacter],
  ['{"a":"\0"}', 6, R.controlCharacter],
  ['{"a":"\x1f"}', 6, R.controlCharacter],
  ['{"\r":1}', 2, R.controlCharacter],
  ['{"a":"\\x"}', 7, R.badEscape],
  ['{"a":"\\U0041"}', 7, R.badEscape],
  ['{"a":"\\u12G4"}', 10, R.badEscape],
  ['{"a":"\\u"}', 8, R.badEscape],
  ['{"a":"\\\'"}', 7, R.badEscape],
  ['{"a":1}}', 7, R.trailingCharacters],
  ['{"a":1} x', 8, R.trailingCharacters],
  ['{}{}', 2, R.trailingCharacters],
  ['[1] 2', 4, R.trailingCharacters],
  ['{},', 2, R.trailingCharacters],
  ['{"a":"\x80"}', 6, R.illFormedUtf8],
  ['{"a":"\xc0\x80"}', 6, R.illFormedUtf8],
  ['{"a":"\xc1\xbf"}', 6, R.illFormedUtf8],
  ['{"a":"x\xc3"}', 7, R.illFormedUtf8],
  ['{"a":"\xc3', 6, R.illFormedUtf8],
  ['{"a":"\xe0\x9f\xbf"}', 6, R.illFormedUtf8],
  ['{"a":"\xe2\x82"}', 6, R.illFormedUtf8],
  ['{"a":"\xed\xa0\x80"}', 6, R.illFormedUtf8],
  ['{"a":"\xf0\x8f\xbf\xbf"}', 6, R.illFormedUtf8],
  ['{"a":"\xf4\x90\x80\x80"}', 6, R.illFormedUtf8],
  ['{"a":"\xf5\x80\x80\x80"}', 6, R.illFormedUtf8],
  ['{"a":"\xf0\x9f\x98"}', 6, R.illFormedUtf8],
  ['{"\xff":1}', 2, R.illFormedUtf8],
  ['\xff{}', 0, R.illFormedUtf8],
  ['{"a":1\xff}', 6, R.illFormedUtf8],
  ['{"a":"\\\xff"}', 7, R.illFormedUtf8],
  ['{"a":1}\x80', 7, R.illFormedUtf8],
  ['{"a":x"\xff"}', 5, R.expectedValue],
  ['{"a":\xc3\xa9}', 5, R.expectedValue],
  ['\xef\xbb\xbf{}', 0, R.expectedValue],
  ['[]', 0, R.notAnObject],
  ['  "text"', 2, R.notAnObject],
  ['1', 0, R.notAnObject],
  ['null ', 0, R.notAnObject],
  ['[{"a":1}]', 0, R.notAnObject],
  ['{"a":{"b":[[]]}}', 11, R.tooDeep],
  ['{"a":[[{}]]}', 7, R.tooDeep],
  ['[[[[', 3, R.tooDeep],
  ['{"a":[[0,{]', 9, R.tooDeep],
];
const tooDeepAt = 3;

describe.each(kernels)('bad lines in the $name kernel', (kernel) => {
  it('are those deeper than maxDepth, which ends at 8192', () => {
    const nested = (depth: number) => Buffer.from(`${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`);
    const goodAt = (depth: number, maxDepth: number) =>
      kernel.lines(nested(depth), { maxDepth }).count;
    expect([goodAt(MAX_DEPTH, MAX_DEPTH), goodAt(MAX_DEPTH + 1, MAX_DEPTH)]).toEqual([1, 0]);
    const refused = expect.objectContaining({ code: 'INVALID_ARGUMENT' });
    expect(() => goodAt(1, MAX_DEPTH + 1)).toThrow(refused);
  });

  it.each(bad)('%j fails at %i', (line, offset, reason) => {
    const bytes = Buffer.from(line, 'latin1');
    const maxDepth = reason === R.tooDeep ? tooDeepAt : 64;
    const expected = {
      start: 0,
      end: bytes.length,
      line: 0,
      offset,
      code: faultCode(reason),
      reason: faultReasons[reason],
      before: 0,
    };
    expect(kernel.lines(bytes, { maxDepth }).bad).toEqual([expected]);
    expect(kernel.lines(Buffer.concat([bytes, Buffer.from('\n{}')]), { maxDepth }).bad).toEqual([
      expected,
    ]);
    expect(kernel.lines(Buffer.concat([bytes, Buffer.from('\r\n')]), { maxDepth }).bad).toEqual([
      expected,
    ]);
    const documents = Buffer.from('{"a":1}\n{"a":2}\n\n');
    const behind = kernel.lines(Buffer.concat([documents, bytes]), { maxDepth });
    const moved = { start: 17, end: 17 + bytes.length, offset: 17 + offset, line: 3, before: 2 };
    expect(behind.bad).toEqual([{ ...expected, ...moved }]);
  });

  it('survives a nesting of 100,000 and stops at the first bracket too many', () => {
    for (const open of ['[', '{"a":']) {
      const bytes = Buffer.from(`{"a":${open.repeat(100_000)}`);
      const [fault] = kernel.lines(bytes).bad;
      expect(fault).toMatchObject({ code: 'NESTING_TOO_DEEP', offset: 5 + 511 * open.length });
    }
    const deepest = `{"a":${'['.repeat(511)}${']'.repeat(511)}}`;
    expect(kernel.lines(Buffer.from(deepest))).toMatchObject({ count: 1, bad: [] });
  });

  it('is told of where it has more values than are read at once, and what is behind it is skipped', () => {
    const many = `{"a":[${'1,'.repeat(70_000)}`;
    for (const bad of [`${many}]}`, many]) {
      const bytes = Buffer.from(`${bad}\n{"n":1}\n${many}1]}\n{"n":2}\n${bad}`);
      const found = kernel.selector({}).documents(bytes, Uint8Array.of(1, 1, 0));
      expect(found.documents).toEqual([{ n: 2 }]);
      expect(found.bad.map(({ line, before }) => [line, before])).toEqual([
        [0, 0],
        [4, 3],
      ]);
    }
  });

  it.each([
    ['', 0, 0, true, true],
    ['\n', 0, 1, false, false],
    ['{"_id":"a"}\n{"_id":"b","x":1}\n', 2, 2, true, true],
    ['{"_id":"a"}\n{"_id":"b","x":1}', 2, 2, false, false],
    ['{"_id":"a"}\r\n', 1, 1, false, false],
    ['{"_id":"a"}\n\n', 1, 2, false, false],
    [' {"_id":"a"}\n', 1, 1, false, false],
    ['{"_id":"a"}\n{"_id": "a"}\n', 2, 2, true, false],
    ['{"x":1,"_id":"a"}\n', 1, 1, true, false],
    ['{"_id":"a","_id":"a"}\n', 1, 1, true, false],
    ['{"_id":"a","\\u005fid":"b"}\n', 1, 1, true, false],
    ['{"_id":"a","x":{"_id":"b"}}\n', 1, 1, true, true],
    ['{"_id":"\\u0061"}\n', 1, 1, true, false],
    ['{"_id":1}\n', 1, 1, true, false],
    ['{}\n', 1, 1, true, false],
    ['{"_id":""}\n', 1, 1, true, false],
    ['{"_id":"aZ09_-.b"}\n', 1, 1, true, true],
    ['{"_id":".a"}\n', 1, 1, true, false],
    ['{"_id":"a..b"}\n', 1, 1, true, false],
    ['{"_id":"a.b.c-."}\n', 1, 1, true, true],
    ['{"_id":"0123456789abcde..f"}\n', 1, 1, true, false],
    ['{"_id":"0123456789abcd.e.f"}\n', 1, 1, true, true],
    ['{"_id":"a/b"}\n', 1, 1, true, false],
    ['{"_id":"a b"}\n', 1, 1, true, false],
    ['{"_id":"é"}\n', 1, 1, true, false],
    [`{"_id":"${'a'.repeat(255)}"}\n`, 1, 1, true, true],
    [`{"_id":"${'a'.repeat(256)}"}\n`, 1, 1, true, false],
  ])(
    '%j has %i documents in %i lines, dense %s, canonical %s',
    (text, count, lineCount, dense, canonical) => {
      const table = kernel.lines(Buffer.from(text));
      expect(table).toMatchObject({ count, lineCount, dense, canonical, key: '_id', bad: [] });
    },
  );

  it('takes the last of duplicate keys', () => {
    const bytes = Buffer.from('{"_id":"a","x":{"_id":"no"},"\\u005fid":"b\\n"}');
    const { records } = kernel.lines(bytes);
    const [from, to] = [records[LineRecord.keyStart]!, records[LineRecord.keyEnd]!];
    expect(bytes.subarray(from, to).toString()).toBe('b\\n');
  });
});
