/**
 * What is under an HTTP exchange. Node's own client by default: it hands out bodies as they come, and
 * knows an end from a broken connection in every form of framing, which fetch does not (undici takes
 * a chunked body cut off behind `Connection: close` for whole, and decodes a cut gzip without a word).
 * A fetch of the user's serves too, with what it can promise.
 */
import { type IncomingMessage, request as requestPlain } from 'node:http';
import { request as requestSecure } from 'node:https';
import type { ConnectionOptions } from 'node:tls';
import { unlessAborted } from '../core/abort.ts';

/** What a connection by TLS goes by, as `node:tls` takes it. */
export type HttpTls = Pick<
  ConnectionOptions,
  'ca' | 'cert' | 'key' | 'passphrase' | 'rejectUnauthorized'
>;

/** An answer whose body has not been read. */
export interface RawResponse {
  readonly status: number;
  readonly statusText: string;
  readonly headers: Headers;
  /** The body. Errors: the transport's own, for one that broke. */
  readonly chunks: AsyncIterable<Uint8Array>;
  /** True when `Content-Encoding` has been undone already, so that lengths cannot be told. */
  readonly decoded: boolean;
  /** Closes the connection unless the answer is complete; resolves when it is closed. */
  cancel(): Promise<void>;
}

interface RawRequest {
  readonly method: string;
  readonly headers: Headers;
  readonly body?: string | Uint8Array | undefined;
  readonly signal: AbortSignal;
  readonly tls?: HttpTls | undefined;
}

/** Sends by node:http or node:https; follows no redirects. Errors: the system's own. */
export function sendByNode(url: URL, options: RawRequest): Promise<RawResponse> {
  const { method, headers, body, signal, tls } = options;
  const named: Record<string, string> = {};
  headers.forEach((value, name) => {
    named[name] = value;
  });
  const send = url.protocol === 'https:' ? requestSecure : requestPlain;
  const answered = new Promise<RawResponse>((resolve, reject) => {
    const request = send(url, { ...tls, method, headers: named, signal });
    const closed = new Promise<void>((done) => request.once('close', done));
    const answer = (response: IncomingMessage): void => {
      const found = new Headers();
      for (const [name, values] of Object.entries(response.headersDistinct)) {
        for (const value of values ?? []) found.append(name, value);
      }
      resolve({
        status: response.statusCode ?? 0,
        statusText: response.statusMessage ?? '',
        headers: found,
        chunks: response,
        decoded: false,
        async cancel() {
          // A failure after this is nobody's.
          response.on('error', () => {});
          if (response.complete) response.resume();
          else {
            request.destroy();
            await closed;
          }
        },
      });
    };
    request.on('error', reject);
    request.on('response', answer);
    // Status 101; of one that nobody takes Node says nothing at all.
    request.on('upgrade', (response, socket) => {
      socket.destroy();
      answer(response);
    });
    request.end(body);
  });
  return unlessAborted(answered, signal);
}

/** Sends by a fetch. Errors: its own. */
export async function sendByFetch(
  fetch: typeof globalThis.fetch,
  url: URL,
  options: RawRequest,
): Promise<RawResponse> {
  const { body, tls: _, ...rest } = options;
  const made = { ...rest, ...(body === undefined ? {} : { body: body as BodyInit }) };
  // One of the user's may not heed the signal.
  const response = await unlessAborted(fetch(url, { ...made, redirect: 'manual' }), options.signal);
  const { status, statusText, headers } = response;
  return {
    ...{ status, statusText, headers, decoded: true },
    chunks: (response.body as AsyncIterable<Uint8Array> | null) ?? nothing(),
    async cancel() {
      if (response.body?.locked === false) await response.body.cancel().catch(() => {});
    },
  };
}

async function* nothing(): AsyncGenerator<never, void, void> {}
