/** Where the next page of an answer is. */
import { checkChoice, checkCount, checkPath } from '../core/check-option.ts';
import { EtlError } from '../core/errors.ts';
import { type Path, type PathInput, parsePath } from '../core/path.ts';
import { redactUrl } from '../core/redact.ts';
import { type HttpHeaders, parseUrl } from '../io/http-exchange.ts';
import { decodeText } from '../kernels/twin/text.ts';
import {
  eachElement,
  findMember,
  OPEN_BRACE,
  OPEN_BRACKET,
  skipSpace,
  skipValue,
} from '../transforms/members.ts';

/** A page that has been read, for a function that finds the next. */
export interface HttpPage {
  /** Where the answer came from, behind redirects: what a relative next URL is relative to. */
  readonly url: URL;
  readonly headers: Headers;
  /** 0 for the first. */
  readonly index: number;
  /** Documents on it, bad ones included. */
  readonly documents: number;
  /**
   * The body as JSON.parse gives it, with null for each bad document that was no JSON.
   * Errors: JSON_ERROR for what is no JSON, or more than one text.
   */
  json(): unknown;
}

/** What is known of a page that has been read; `text` is JSON if its body is. */
export interface ReadPage extends Omit<HttpPage, 'json'> {
  /** What was asked for. */
  readonly url: URL;
  /** Where the answer came from, behind redirects. */
  readonly answeredBy: URL;
  /** Where the array of its documents stands, if its body is JSON. */
  readonly path: Path;
  text(): string;
}

/**
 * Where the next page is: the `Link` header's `rel="next"`; a URL in the body; a cursor in the body
 * that goes into a parameter; an offset or a page number that grows, from that in the request's URL on if
 * there is one, until a page is empty, or has fewer documents than `size`; or what a function says, undefined being the end.
 */
export type HttpPages =
  | { readonly type: 'link' }
  | { readonly type: 'body'; readonly next: PathInput }
  | { readonly type: 'cursor'; readonly cursor: PathInput; readonly parameter?: string }
  | {
      readonly type: 'offset';
      readonly size: number;
      /** Default `offset`. */
      readonly parameter?: string;
      /** Default `limit`. */
      readonly sizeParameter?: string;
    }
  | {
      readonly type: 'page';
      /** Default: the one in the request's URL, else 1. */
      readonly first?: number;
      /** Default `page`. */
      readonly parameter?: string;
      readonly size?: number;
      /** Default `per_page`. */
      readonly sizeParameter?: string;
    }
  | ((page: HttpPage) => string | URL | undefined | Promise<string | URL | undefined>);

const TYPES = ['link', 'body', 'cursor', 'offset', 'page'] as const;

/** Errors: INVALID_ARGUMENT naming what is missing, or is none. */
export function checkPages(pages: HttpPages): void {
  if (typeof pages === 'function') return;
  checkChoice(
    'pages.type',
    (pages as Partial<typeof pages> | null)?.type as typeof pages.type,
    TYPES,
  );
  if (pages.type === 'body') checkPath('pages.next', pages.next);
  if (pages.type === 'cursor') checkPath('pages.cursor', pages.cursor);
  if ('size' in pages) checkCount('pages.size', pages.size ?? 1);
  if ('first' in pages) checkCount('pages.first', pages.first ?? 1, 0);
}

/** What it takes of a page to find the next: nothing of its body, what is beside the documents, or all. */
export function neededOf(pages: HttpPages | undefined): 'none' | 'frame' | 'whole' {
  if (typeof pages === 'function') return 'whole';
  return pages?.type === 'body' || pages?.type === 'cursor' ? 'frame' : 'none';
}

/** The URL of a request's first page. Errors: INVALID_ARGUMENT for a number in it that is none. */
export function firstUrl(pages: HttpPages | undefined, url: URL): URL {
  if (typeof pages !== 'object' || (pages.type !== 'offset' && pages.type !== 'page')) return url;
  const { size, sizeParameter = pages.type === 'offset' ? 'limit' : 'per_page' } = pages;
  const made = new URL(url);
  if (size !== undefined) made.searchParams.set(sizeParameter, String(size));
  const number = pages.type === 'offset' ? undefined : pages.first;
  return withNumber(
    made,
    pages,
    number ?? numberIn(url, pages) ?? (pages.type === 'offset' ? 0 : 1),
  );
}

/**
 * Errors: HTTP_ERROR when the next page is the same, on another server, or has no usable URL; JSON_ERROR when
 * it is looked for in what is no JSON; those of the user's function.
 */
export async function nextUrl(pages: HttpPages, page: ReadPage): Promise<URL | undefined> {
  const { url, answeredBy, text, path, ...about } = page;
  const found =
    typeof pages === 'function'
      ? await pages({ ...about, url: new URL(answeredBy), json: () => parseBody(page).value })
      : findNext(pages, page);
  if (found === undefined || found === null || found === '') return undefined;
  const place = { url: redactUrl(url) };
  let next: URL;
  try {
    next = parseUrl(new URL(String(found), answeredBy)).url;
  } catch {
    throw new EtlError('HTTP_ERROR', 'the next page has no usable URL', { place });
  }
  if (next.href === url.href || next.href === answeredBy.href) {
    throw new EtlError('HTTP_ERROR', 'the page names itself as the next', { place });
  }
  // What was given for this origin is sent with every page.
  next = sameWay(next, page);
  if (next.origin === url.origin) return next;
  throw new EtlError('HTTP_ERROR', 'the next page is on another server', { place });
}

/**
 * Where the next page is on the very server that this one came from, behind a redirect from http to https
 * of the same host, it is asked for like this one: where the answer comes from then, is the server's business again.
 */
function sameWay(next: URL, { url, answeredBy }: ReadPage): URL {
  const isUpgrade = url.protocol === 'http:' && answeredBy.protocol === 'https:';
  if (!isUpgrade || answeredBy.hostname !== url.hostname || next.origin !== answeredBy.origin) {
    return next;
  }
  return new URL(`${next.pathname}${next.search}`, url);
}

function findNext(
  pages: Exclude<HttpPages, (...args: never[]) => unknown>,
  page: ReadPage,
): unknown {
  const { url, headers, documents } = page;
  switch (pages.type) {
    case 'link':
      return nextLink(headers.get('link') ?? '');
    case 'body':
      return valueAt(page, pages.next);
    case 'cursor': {
      const cursor = valueAt(page, pages.cursor);
      if (cursor === undefined || cursor === null || cursor === '') return undefined;
      const next = new URL(url);
      next.searchParams.set(pages.parameter ?? 'cursor', String(cursor));
      return next;
    }
    default: {
      if (documents === 0 || documents < (pages.size ?? 1)) return undefined;
      const now = numberIn(url, pages) ?? 0;
      return withNumber(url, pages, now + (pages.type === 'offset' ? documents : 1));
    }
  }
}

/** The offset or page number that a URL names. Errors: INVALID_ARGUMENT. */
function numberIn(url: URL, pages: { type: string; parameter?: string }): number | undefined {
  const { parameter = pages.type } = pages;
  const text = url.searchParams.get(parameter);
  return text ? checkCount(`the URL's ${parameter}`, Number(text), 0) : undefined;
}

function withNumber(url: URL, pages: { type: string; parameter?: string }, value: number): URL {
  const next = new URL(url);
  next.searchParams.set(pages.parameter ?? pages.type, String(value));
  return next;
}

/** The target of `rel="next"` in a Link header (RFC 8288). */
function nextLink(header: string): string | undefined {
  for (const [, target, parameters] of header.matchAll(LINK)) {
    const rel = /;\s*rel\s*=\s*"?([^";]*)"?/i.exec(parameters ?? '')?.[1] ?? '';
    if (rel.toLowerCase().split(/\s+/).includes('next')) return target;
  }
  return undefined;
}

/** A link: its target, and parameters whose values may be quoted. */
const LINK = /<([^>]*)>((?:\s*;\s*[\w*-]+(?:\s*=\s*(?:"[^"]*"|[^\s",;]*))?)*)/g;

/** The value of a body, and its text, in both of which bad documents are null. Errors: JSON_ERROR. */
function parseBody(page: ReadPage): { value: unknown; text: string } {
  const text = page.text();
  try {
    return { value: JSON.parse(text), text };
  } catch {}
  try {
    const mended = withoutBad(text, page.path);
    return { value: JSON.parse(mended), text: mended };
  } catch (cause) {
    const what = 'the page is not one JSON text, and the next cannot be found in it';
    throw new EtlError('JSON_ERROR', what, { place: { url: redactUrl(page.url) }, cause });
  }
}

/** JSON text with null for each element of the array at a path that is no JSON; all else as it is. */
function withoutBad(text: string, path: Path): string {
  const bytes = encoder.encode(text);
  const array = findValue(bytes, path);
  if (array === undefined || bytes[array] !== OPEN_BRACKET) return text;
  const parts: string[] = [];
  let done = 0;
  eachElement(bytes, array, (start, end) => {
    if (isJson(decodeText(bytes, start, end))) return;
    parts.push(decodeText(bytes, done, start), 'null');
    done = end;
  });
  return parts.join('') + decodeText(bytes, done, bytes.length);
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** The value at a path of a body; a number as it is written, which may have more digits than a double. */
function valueAt(page: ReadPage, input: PathInput): unknown {
  const path = parsePath(input);
  const { value, text } = parseBody(page);
  let found = value;
  for (const step of path) found = (found as HttpHeaders | null | undefined)?.[step];
  if (typeof found !== 'number') return found;
  const bytes = encoder.encode(text);
  const at = findValue(bytes, path);
  return at === undefined ? found : decodeText(bytes, at, skipValue(bytes, at));
}

const encoder = new TextEncoder();

/** Where the value at a path begins. */
function findValue(bytes: Uint8Array, path: Path): number | undefined {
  let found: number | undefined = skipSpace(bytes, 0);
  for (const step of path) {
    const at: number = found;
    found = undefined;
    if (bytes[at] === OPEN_BRACE) found = findMember(bytes, at, step, encoder.encode(step))?.start;
    else if (bytes[at] === OPEN_BRACKET) {
      let index = 0;
      eachElement(bytes, at, (start) => {
        if (String(index++) === step) found = start;
      });
    }
    if (found === undefined) return undefined;
  }
  return found;
}
