/**
 * The text of valid JSON with what stands between its strings changed; the strings stay as they are. In a loop, as
 * a regular expression over the escapes of a long string needs more stack than there is.
 */
export function betweenStrings(text: string, change: (between: string) => string): string {
  let out = '';
  let at = 0;
  for (let quote = text.indexOf('"'); quote >= 0; quote = text.indexOf('"', at)) {
    const end = endOfString(text, quote);
    out += change(text.slice(at, quote)) + text.slice(quote, end);
    at = end;
  }
  return out + change(text.slice(at));
}

/** One past the quote that ends the string which begins at `start`; the text's end if none does. */
function endOfString(text: string, start: number): number {
  for (let at = text.indexOf('"', start + 1); at >= 0; at = text.indexOf('"', at + 1)) {
    let before = at;
    while (text[before - 1] === '\\') before--;
    if ((at - before) % 2 === 0) return at + 1;
  }
  return text.length;
}
