import { describe, expect, it } from 'vitest';
import { decodeJson } from '../../../src/formats/json.ts';
import { KeptBody } from '../../../src/sources/http-page.ts';

const text = '{"a":[[{}]],"items":[{"n":0},{"n":1} , {"n":2}\n],"next":"b"}';
const bytes = Buffer.from(text);

/** What is kept of the body when it comes in three pieces. */
async function keep(first: number, second: number): Promise<KeptBody> {
  const kept = new KeptBody(new URL('http://host/'), { maxBytes: 1000, level: 2 });
  async function* pieces() {
    for (const piece of [
      bytes.subarray(0, first),
      bytes.subarray(first, second),
      bytes.subarray(second),
    ]) {
      kept.add(piece);
      yield piece;
    }
  }
  const options = {
    path: ['items'],
    batchBytes: 1,
    cursorAt: (mark: { offset: number; level: number }) => kept.passed(mark),
  };
  for await (const _ of decodeJson(pieces(), options));
  return kept;
}

describe('what is kept of a page', () => {
  it('is JSON wherever the page is cut', async () => {
    const [from, to] = [text.indexOf('{"n":0'), text.indexOf('"next"')];
    for (let first = from; first < to; first++) {
      for (let second = first; second < to; second++) {
        const { items, ...about } = JSON.parse((await keep(first, second)).text());
        expect(about).toEqual({ a: [[{}]], next: 'b' });
        expect(items[0]).toEqual({ n: 0 });
        expect([{ n: 0 }, { n: 1 }, { n: 2 }]).toEqual(expect.arrayContaining(items));
      }
    }
  });
});
