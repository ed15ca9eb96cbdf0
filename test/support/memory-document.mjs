/** The documents of the tests of memory: about a thousand bytes each, no two alike. */

/** Bytes of a document at least. */
export const DOCUMENT_BYTES = 940;

/** A text to cut from, of words that look different wherever one looks. */
export function makeText() {
  let state = 1;
  const words = [];
  for (let i = 0; i < 50_000; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    words.push(
      'lorem ipsum dolor, sit amet consetetur "sadipscing" elitr'.split(' ')[state >>> 29],
    );
  }
  return words.join(' ');
}

/** The document of an ordinal. */
export function makeDocument(text, n) {
  const at = (n * 7919) % (text.length - 900);
  return { _id: `d${n}`, n, group: `g${n % 3}`, pad: text.slice(at, at + 900) };
}
