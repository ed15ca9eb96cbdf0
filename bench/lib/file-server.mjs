/** Serves one file over HTTP from a process of its own, so that it takes no time of the reader's. */
import { fork } from 'node:child_process';
import { createReadStream, statSync } from 'node:fs';
import { createServer } from 'node:http';
import { fileURLToPath } from 'node:url';

const self = fileURLToPath(import.meta.url);

/** The URL of the file and the process to end. */
export function serveFile(file) {
  const child = fork(self, [file], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  return new Promise((resolve, reject) => {
    child.once('message', (url) => resolve({ url, stop: () => child.kill() }));
    child.once('error', reject);
  });
}

if (process.argv[1] === self) {
  const [file] = process.argv.slice(2);
  const { size } = statSync(file);
  const server = createServer((_, response) => {
    response.writeHead(200, { 'content-type': 'application/gzip', 'content-length': size });
    createReadStream(file, { highWaterMark: 1 << 20 }).pipe(response);
  });
  // Five seconds after the last byte was handed to the system a slow reader may still need it.
  server.keepAliveTimeout = 0;
  server.listen(0, '127.0.0.1', () => {
    process.send(`http://127.0.0.1:${server.address().port}/rows.csv.gz`);
  });
  process.on('disconnect', () => process.exit());
}
