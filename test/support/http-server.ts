/** Real HTTP servers for tests, closed after each. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach } from 'vitest';

export interface TestServer {
  /** `http://127.0.0.1:port`. */
  readonly base: string;
  /** Requests so far. */
  readonly requests: IncomingMessage[];
  /** Connections open now. */
  connections(): Promise<number>;
}

type Handler = (request: IncomingMessage, response: ServerResponse, ordinal: number) => void;

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

/** Answers close their connections, so that none is left open for later use. */
export async function serve(handler: Handler): Promise<TestServer> {
  const requests: IncomingMessage[] = [];
  const server = createServer((request, response) => {
    response.setHeader('connection', 'close');
    requests.push(request);
    handler(request, response, requests.length - 1);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closers.push(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  return {
    base: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    connections: () =>
      new Promise((resolve, reject) =>
        server.getConnections((error, count) => (error ? reject(error) : resolve(count))),
      ),
  };
}

/** Serves bytes with Range and If-Range as a good server does; `cut` breaks off after that many. */
export function sendFile(
  request: IncomingMessage,
  response: ServerResponse,
  bytes: Uint8Array,
  options: { readonly etag?: string; readonly cut?: number; readonly type?: string } = {},
): void {
  const { etag, cut, type } = options;
  const range = /^bytes=(\d+)-$/.exec(request.headers.range ?? '');
  const fits = etag !== undefined && request.headers['if-range'] === etag;
  const from = range && fits ? Number(range[1]) : 0;
  if (etag) response.setHeader('etag', etag);
  if (type) response.setHeader('content-type', type);
  if (from >= bytes.length && from > 0) {
    response.writeHead(416, { 'content-range': `bytes */${bytes.length}` }).end();
    return;
  }
  const part = bytes.subarray(from);
  const all = bytes.length;
  if (from > 0) response.setHeader('content-range', `bytes ${from}-${all - 1}/${all}`);
  response.writeHead(from > 0 ? 206 : 200, { 'content-length': part.length });
  if (cut === undefined || cut >= part.length) response.end(part);
  else response.write(part.subarray(0, cut), () => setTimeout(() => response.destroy(), 5));
}
