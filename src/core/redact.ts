/** URLs among names, and as they may stand in messages, logs and summaries. */

/** Whether a name stands for something to be had over HTTP, and not for a file. */
export function isHttpUrl(name: string): boolean {
  return /^https?:\/\//i.test(name);
}

/** Names of parameters whose values are hidden whatever they look like. */
const SECRET = /key|token|secret|sig|pass|pwd|auth|cred|code|session|pin|otp/i;

/**
 * The URL without user, password and fragment. Of its query only short whole numbers and dates stay
 * (pages, limits, ranges), the rest is hidden: what a parameter is worth cannot be told from its
 * name. What is no URL is hidden whole.
 */
export function redactUrl(url: string | URL): string {
  let parsed: URL;
  try {
    parsed = new URL(url);
  } catch {
    return '(unreadable URL)';
  }
  const shown = [...parsed.searchParams].map(([name, value]) => {
    const plain = /^(\d{1,10}|\d{4}-\d\d-\d\d)$/.test(value) && !SECRET.test(name);
    return `${encodeURIComponent(name)}=${plain ? value : '***'}`;
  });
  const query = shown.length > 0 ? `?${shown.join('&')}` : '';
  return `${parsed.protocol}//${parsed.host}${parsed.pathname}${query}`;
}

/** A name as it may be shown: a URL is redacted. */
export function redactName(name: string): string {
  return isHttpUrl(name) ? redactUrl(name) : name;
}
