import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { checked, classifier, classify, lines, reader } from '../../fixtures/http/schemas.ts';
import { json, send } from '../../support/http/client.ts';
import { quietServe } from '../../support/quiet.ts';
import type { Mount, Mounted } from './setup.ts';

/** Schemas of an ingress, whatever framework the request comes through. */
export function validation(mount: Mount): void {
  describe('validation', () => {
    let serve: ReturnType<typeof quietServe>;
    let server: Mounted | undefined;
    const port = (): number => server?.port ?? 0;

    beforeAll(async () => {
      serve = quietServe();
      const inline = classifier.options({ isolation: 'inline' });
      await Promise.all([
        serve.run(classifier.bind(), { routePrefix: '/classifier' }),
        serve.run(inline.bind(), { name: 'inline', routePrefix: '/inline' }),
        serve.run(classify.bind(), { routePrefix: '/function' }),
        serve.run(lines.bind(), { routePrefix: '/lines' }),
        serve.run(reader.bind(checked.bind()), { routePrefix: '/reader' }),
      ]);
      server = await mount({ serve });
    });
    afterAll(async () => {
      await server?.[Symbol.asyncDispose]();
      await serve.close();
    });

    function post(path: string, body: unknown, contentType = 'application/json') {
      const text = typeof body === 'string' ? body : JSON.stringify(body);
      return send(port(), path, { method: 'POST', headers: { 'content-type': contentType }, body: text });
    }

    describe.each(['/classifier', '/inline'])('an ingress with a schema at %s', (path) => {
      test('takes JSON and gets the schema’s value', async () => {
        const answer = await post(path, { text: 'a b c d', more: true });
        expect(answer).toMatchObject({ status: 200 });
        expect(json(answer)).toEqual({ words: ['a', 'b', 'c'] });
      });

      test('422 with the issues', async () => {
        const answer = await post(path, { text: '', top: 'x' });
        expect(answer.status).toBe(422);
        expect(answer.headers['content-type']).toBe('application/problem+json; charset=utf-8');
        expect(json(answer)).toEqual({
          type: 'urn:inserve:error:SERVE_VALIDATION',
          title: 'Invalid input',
          status: 422,
          code: 'SERVE_VALIDATION',
          requestId: answer.headers['x-request-id'],
          issues: [
            { path: ['text'], message: expect.any(String) },
            { path: ['top'], message: expect.any(String) },
          ],
        });
      });

      test('what is wrong with the method stays in the log', async () => {
        const logged = serve.log.records.length;
        const answer = await post(path, { text: 'broken' });
        expect(answer.status).toBe(500);
        expect(json(answer)).toMatchObject({ code: 'SERVE_INVALID_RESULT', title: 'Invalid result' });
        expect(answer.text).not.toContain('words');
        expect(serve.log.records.slice(logged)).toMatchObject([
          { level: 'error', message: 'request failed', fields: { err: { issues: [{ path: ['words'] }] } } },
        ]);
      });

      test('a Response of its own is passed on', async () => {
        expect(await post(path, { text: 'teapot' })).toMatchObject({ status: 418, text: 'short and stout' });
      });
    });

    describe('hostile requests', () => {
      test.each([
        ['no JSON', '{"text":', 'application/json', 400, 'the body is not valid JSON'],
        ['no body', '', 'application/json', 400, 'the body is empty; it must be JSON'],
        ['a form', 'text=a', 'application/x-www-form-urlencoded', 415, undefined],
        ['plain text', '{"text":"a"}', 'text/plain', 415, undefined],
        [
          'nested a hundred thousand times',
          '['.repeat(100_000),
          'application/json',
          400,
          'the body is nested more than 64 levels deep',
        ],
        [
          'a key __proto__',
          '{"text":"a","__proto__":{"admin":1}}',
          'application/json',
          400,
          "the body has a key '__proto__', which is not allowed",
        ],
        ['null', 'null', 'application/json', 422, undefined],
        ['a list', '[{"text":"a"}]', 'application/json', 422, undefined],
      ])('%s', async (_, body, contentType, status, detail) => {
        const answer = await post('/classifier', body, contentType);
        expect(answer.status).toBe(status);
        expect(json(answer)).toMatchObject({ status, ...(detail === undefined ? {} : { detail }) });
        expect((await post('/classifier', { text: 'next' })).status).toBe(200);
      });

      test('a request without body says what is wanted', async () => {
        const answer = await send(port(), '/classifier', { method: 'POST' });
        expect(answer.status).toBe(415);
        expect(json(answer)).toMatchObject({
          code: 'SERVE_BAD_REQUEST',
          detail: 'content-type: got none; it must be application/json in UTF-8',
        });
      });
    });

    test('a function deployment takes its schema’s value too', async () => {
      expect(json(await post('/function', { n: 1 }))).toEqual({ n: 2 });
      expect((await post('/function', { n: '1' })).status).toBe(422);
    });

    test('a stream that goes wrong is cut off', async () => {
      expect(await post('/lines', { to: 2 })).toMatchObject({ status: 200, text: '{"n":0}\n{"n":1}\n' });
      await expect(post('/lines', { to: 9 })).rejects.toMatchObject({ code: 'ECONNRESET' });
    });

    describe('jsonRequest(request, schema) in an ingress', () => {
      test('reads, and refuses', async () => {
        expect(json(await post('/reader', { method: 'own', value: [1] }))).toEqual([1]);
        expect(await post('/reader', { method: 'delete', value: 1 })).toMatchObject({ status: 422 });
        expect(await post('/reader', '{', 'application/json')).toMatchObject({ status: 400 });
        expect(await post('/reader', '{}', 'text/plain')).toMatchObject({ status: 415 });
      });

      test('what a child call refuses reaches the client as it is', async () => {
        expect(json(await post('/reader', { method: 'add', value: 2 }))).toBe(3);
        const refused = await post('/reader', { method: 'add', value: 'x' });
        expect(json(refused)).toMatchObject({
          status: 422,
          issues: [{ path: [0], message: expect.any(String) }],
        });
        const wrong = await post('/reader', { method: 'wrong', value: 'x' });
        expect(json(wrong)).not.toHaveProperty('issues');
        expect(wrong.status).toBe(500);
      });
    });
  });
}
