/** Real HTTP servers for tests, closed after each. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createSecureServer, type ServerOptions } from 'node:https';
import type { AddressInfo } from 'node:net';
import { afterTest } from './after-test.ts';

export interface TestServer {
  /** `http://127.0.0.1:port`, or as the options say. */
  readonly base: string;
  /** Requests so far. */
  readonly requests: IncomingMessage[];
  /** Connections open now. */
  connections(): Promise<number>;
  /** Connections made so far. */
  readonly accepted: () => number;
}

interface ServeOptions {
  /** Default 127.0.0.1. */
  readonly host?: string;
  /** Makes it a server of https. */
  readonly secure?: ServerOptions;
  /** Leaves connections open for later use. Default false. */
  readonly keepAlive?: boolean;
}

type Handler = (request: IncomingMessage, response: ServerResponse, ordinal: number) => void;

/** Answers close their connections by default, so that none is left open for later use. */
export async function serve(handler: Handler, options: ServeOptions = {}): Promise<TestServer> {
  const { host = '127.0.0.1', secure, keepAlive = false } = options;
  const requests: IncomingMessage[] = [];
  const answer = (request: IncomingMessage, response: ServerResponse): void => {
    if (!keepAlive) response.setHeader('connection', 'close');
    requests.push(request);
    handler(request, response, requests.length - 1);
  };
  const server = secure ? createSecureServer(secure, answer) : createServer(answer);
  let accepted = 0;
  server.on('connection', () => accepted++);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(0, host, resolve);
  });
  afterTest(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  const name = host.includes(':') ? `[${host}]` : host;
  return {
    base: `http${secure ? 's' : ''}://${name}:${(server.address() as AddressInfo).port}`,
    requests,
    accepted: () => accepted,
    connections: () =>
      new Promise((resolve, reject) =>
        server.getConnections((error, count) => (error ? reject(error) : resolve(count))),
      ),
  };
}

/**
 * Serves bytes with Range and If-Range as a good server does; `cut` breaks off after that many, `most` are
 * those that it gives of a range.
 */
export function sendFile(
  request: IncomingMessage,
  response: ServerResponse,
  bytes: Uint8Array,
  options: {
    readonly etag?: string;
    readonly cut?: number;
    readonly most?: number;
    readonly type?: string;
  } = {},
): void {
  const { etag, cut, most = bytes.length, type } = options;
  const range = /^bytes=(\d+)-$/.exec(request.headers.range ?? '');
  const fits = etag !== undefined && request.headers['if-range'] === etag;
  const from = range && fits ? Number(range[1]) : 0;
  if (etag) response.setHeader('etag', etag);
  if (type) response.setHeader('content-type', type);
  if (from >= bytes.length && from > 0) {
    response.writeHead(416, { 'content-range': `bytes */${bytes.length}` }).end();
    return;
  }
  const part = from > 0 ? bytes.subarray(from, from + most) : bytes;
  const last = from + part.length - 1;
  if (from > 0) response.setHeader('content-range', `bytes ${from}-${last}/${bytes.length}`);
  response.writeHead(from > 0 ? 206 : 200, { 'content-length': part.length });
  if (cut === undefined || cut >= part.length) response.end(part);
  else response.write(part.subarray(0, cut), () => setTimeout(() => response.destroy(), 5));
}

/** Answers that the connection speaks another protocol from here on, and leaves it open. */
export function switchProtocols({ socket }: IncomingMessage): void {
  socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n');
}
