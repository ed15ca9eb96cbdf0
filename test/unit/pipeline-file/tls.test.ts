/** Certificates in pipeline files: of files and of variables, to trust and to show. */
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the files have variables
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { expect, it } from 'vitest';
import { run } from '../../../src/pipeline/index.ts';
import { lintPipeline, loadPipeline } from '../../../src/pipeline-file/index.ts';
import { certificate, key } from '../../support/certificate.ts';
import { serve } from '../../support/http-server.ts';
import { temporaryFolder } from '../../support/stages.ts';

it('certificates are those of files or of variables, in sources and sinks', async () => {
  const folder = temporaryFolder();
  const at = (name: string) => join(folder, name);
  const shown: boolean[] = [];
  const sent: string[] = [];
  const secure = { key, cert: certificate, ca: certificate, requestCert: true };
  const { base } = await serve(
    async (request, response) => {
      shown.push((request.socket as TLSSocket).authorized);
      if (request.method === 'GET') return response.end('{"n":1}\n');
      for await (const chunk of request) sent.push(String(chunk));
      return response.end();
    },
    { secure: { ...secure, rejectUnauthorized: false } },
  );
  writeFileSync(at('ca.pem'), certificate);
  writeFileSync(at('key.pem'), key);
  const write = (ca: string) =>
    writeFileSync(
      at('p.yaml'),
      `name: x
source: { type: http, url: ${base}/a.jsonl, tls: { ca: ${ca} } }
sink:
  type: http
  url: ${base}/in
  retry: { retries: 0 }
  tls: { ca: '\${PEM}', cert: '\${PEM}', key: ${at('key.pem')} }
`,
    );
  write(at('ca.pem'));
  const environment = { PEM: certificate };
  expect(await lintPipeline(at('p.yaml'), environment)).toEqual([]);
  const { options, close } = await loadPipeline(at('p.yaml'), environment);
  expect(await run(options)).toMatchObject({ read: 1, written: 1 });
  await close();
  expect({ shown, sent }).toEqual({ shown: [false, true], sent: ['{"n":1}\n'] });
  write(at('none.pem'));
  await expect(loadPipeline(at('p.yaml'), environment)).rejects.toMatchObject({
    message: expect.stringMatching(/p\.yaml:2.*none\.pem: cannot be read/),
  });
  write(at('ca.pem'));
  const odd = await loadPipeline(at('p.yaml'), { PEM: 'a secret of another form' }).catch(String);
  expect(odd).toMatch(/cannot be read/);
  expect(odd).not.toContain('secret');
});
