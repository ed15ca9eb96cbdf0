/** `--metrics-addr`: the counts of a run for Prometheus, at `/metrics`, while it lasts. */
import { createServer } from 'node:http';
import { EtlError } from '../core/errors.ts';
import { type RunProgress, renderMetrics } from '../pipeline/index.ts';

/** A server under way, or nothing where no address was given. */
export interface MetricsServer {
  /** Where it listens, with the port that was chosen for port 0. */
  readonly address: string | undefined;
  close(): Promise<void>;
}

/** Errors: INVALID_ARGUMENT for what is no `HOST:PORT`; IO_ERROR where nobody may listen. */
export async function openMetrics(
  address: string | undefined,
  runs: () => readonly RunProgress[],
): Promise<MetricsServer> {
  if (address === undefined) return { address, close: async () => undefined };
  const found = /^(?:\[([^\]]+)\]|([^:]*)):(\d{1,5})$/.exec(address);
  const port = Number(found?.[3]);
  if (!found || port > 65_535) {
    throw new EtlError('INVALID_ARGUMENT', `--metrics-addr takes HOST:PORT, not ${address}`);
  }
  const server = createServer((request, response) => {
    const known = request.url === '/metrics' && request.method === 'GET';
    response.writeHead(known ? 200 : 404, { 'content-type': 'text/plain; version=0.0.4' });
    response.end(known ? renderMetrics(runs()) : 'see /metrics\n');
  });
  const host = found[1] ?? (found[2] || '127.0.0.1');
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, host, resolve);
    });
  } catch (cause) {
    throw new EtlError('IO_ERROR', `cannot listen at ${address}`, { cause });
  }
  const bound = server.address();
  const at = typeof bound === 'object' && bound ? `${host}:${bound.port}` : address;
  return {
    address: at,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
