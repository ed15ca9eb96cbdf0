import { pipeline } from 'node:stream/promises';
import { describe, expect, it } from 'vitest';
import { httpSink } from '../../../src/sinks/http-sink.ts';
import { fromIterable } from '../../../src/sources/from-iterable.ts';
import { httpSource } from '../../../src/sources/http-source.ts';
import { lines, read, retry } from '../../support/http-documents.ts';
import { sendFile, serve } from '../../support/http-server.ts';

describe('httpSource', () => {
  const text = lines(0, 3000);

  describe('credentials', () => {
    it('are asked for anew once when they are refused', async () => {
      const { base, requests } = await serve((request, response) => {
        if (request.headers.authorization !== 'Bearer new') response.writeHead(401).end();
        else sendFile(request, response, text);
      });
      const asked: boolean[] = [];
      const headers = async ({ refused }: { refused: boolean }) => {
        asked.push(refused);
        return { authorization: refused ? 'Bearer new' : 'Bearer old' };
      };
      expect((await read(base, { headers })).seen).toHaveLength(3000);
      expect(asked).toEqual([false, true]);
      const never = () => ({ authorization: 'Bearer old' });
      expect((await read(base, { headers: never })).error).toMatchObject({ code: 'HTTP_ERROR' });
      expect(requests).toHaveLength(4);
    });

    it.each([
      ['me:p%40%C3%A9', 'me:p@é', 'utf8'],
      ['me:100%', 'me:100%', 'utf8'],
      ['%:%zz%2', '%:%zz%2', 'utf8'],
      ['me:%ff', 'me:\xff', 'latin1'],
    ] as const)('of a URL are sent as they are meant: %s', async (login, expected, encoding) => {
      const { base, requests } = await serve((_, response) => void response.end());
      const url = base.replace('//', `//${login}@`);
      expect((await read(url)).error).toBeUndefined();
      await pipeline(fromIterable([{ n: 1 }]), httpSink(url));
      const sent = `Basic ${Buffer.from(expected, encoding).toString('base64')}`;
      expect(requests.map(({ headers }) => headers.authorization)).toEqual([sent, sent]);
    });

    it('do not go to other servers', async () => {
      const other = await serve((request, response) => sendFile(request, response, text));
      const { base, requests } = await serve((_, response) =>
        response.writeHead(302, { location: `${other.base}/a` }).end(),
      );
      const url = base.replace('//', '//user:pass@');
      const headers = { 'x-api-key': 'secret', cookie: 'a=b' };
      expect(
        (await read({ url, headers }, { headers: { authorization: 'Bearer t' } })).seen,
      ).toHaveLength(3000);
      expect(requests[0]!.headers).toMatchObject({ ...headers, authorization: 'Bearer t' });
      for (const name of ['authorization', 'x-api-key', 'cookie']) {
        expect(other.requests[0]!.headers[name]).toBeUndefined();
      }
    });

    it('show nowhere', async () => {
      const { base } = await serve((request, response) => {
        if (request.url!.startsWith('/bad')) response.end('{"n":1}\nbad\n');
        else if (request.url!.startsWith('/cut')) sendFile(request, response, text, { cut: 99 });
        else response.writeHead(403).end();
      });
      const shown = (error: unknown): string => {
        const { message, stack, cause } = error as Error;
        return [message, stack, JSON.stringify(error), cause ? shown(cause) : ''].join('\n');
      };
      const host = base.slice(7);
      for (const url of [
        `http://geheim:geheim@${host}/bad?token=geheim`,
        `http://geheim:geheim@${host}/cut?q=geheim`,
        `http://geheim:geheim@${host}/no#geheim`,
        'http://geheim:geheim@127.0.0.1:1/no?token=geheim',
        'http://geheim:geheim@[bad/?token=geheim',
        'ftp://geheim:geheim@host/a',
      ]) {
        for (const pages of [undefined, { type: 'link' as const }]) {
          const make = () => httpSource(url, { retry, ...(pages ? { pages } : {}) }).toArray();
          const error = await Promise.resolve()
            .then(make)
            .catch((thrown) => thrown);
          expect(error).toBeInstanceOf(Error);
          expect(shown(error)).not.toContain('geheim');
        }
      }
      const { error } = await read(base, { headers: { 'x-key': 'gehe\nim' } });
      expect(error).toMatchObject({ code: 'INVALID_ARGUMENT' });
      expect(shown(error)).not.toContain('geheim');
      let cursors = '';
      for await (const batch of httpSource(`http://geheim:geheim@${host}/bad?token=geheim`, {
        onError: 'skip',
      }).batches()) {
        cursors += JSON.stringify(batch.cursor);
      }
      expect(cursors).toContain('offset');
      expect(cursors).not.toContain('geheim');
    });
  });
});
