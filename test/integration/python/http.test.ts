import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  BodyDeployment,
  CheckedDeployment,
  LinesDeployment,
  NothingDeployment,
  StreamDeployment,
  WebDeployment,
} from '../../fixtures/python/web.ts';
import { HAS_PYTHON } from '../../support/python.ts';
import { quietServe } from '../../support/quiet.ts';

describe.skipIf(!HAS_PYTHON)('a Python ingress (skipped without Python 3.9 or newer)', () => {
  const serve = quietServe();
  const server = createServer((request, response) => serve.middleware()(request, response));
  let url = '';

  beforeAll(async () => {
    const apps = { web: WebDeployment, body: BodyDeployment, nothing: NothingDeployment };
    const others = { stream: StreamDeployment, lines: LinesDeployment, checked: CheckedDeployment };
    await Promise.all(
      Object.entries({ ...apps, ...others }).map(([name, deployment]) =>
        serve.run((deployment as typeof WebDeployment).bind(), { name, routePrefix: `/${name}` }),
      ),
    );
    await new Promise<void>((resolve) => server.listen(0, resolve));
    url = `http://localhost:${(server.address() as AddressInfo).port}`;
  }, 180_000);
  afterAll(async () => {
    server.close();
    await serve.close();
  });

  const post = (path: string, body: unknown) =>
    fetch(url + path, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });

  test('gets the request with the names of Starlette', async () => {
    const response = await fetch(`${url}/web/about?a=1&a=2&b=`, {
      method: 'POST',
      headers: { 'x-own': 'mine' },
      body: 'text',
    });
    expect(await response.json()).toEqual({
      method: 'POST',
      query: { a: '2', b: '' },
      header: 'mine',
      body: 'text',
    });
    expect(await (await post('/web/json', { a: [1] })).json()).toEqual({ a: [1] });
  });

  test('answers by the type of its result', async () => {
    const types: unknown[] = [];
    for (const path of ['text', 'bytes', 'nothing', 'response', 'array', 'nested']) {
      const response = await fetch(`${url}/web/${path}`);
      const body = Buffer.from(await response.arrayBuffer());
      types.push([
        response.status,
        response.headers.get('content-type')?.split(';')[0],
        body.toString('utf8'),
      ]);
      if (path === 'response') expect(response.headers.get('x-made')).toBe('yes');
    }
    expect(types).toEqual([
      [200, 'text/plain', 'größe'],
      [200, 'application/octet-stream', '\0\x01'],
      [204, undefined, ''],
      [201, 'application/json', '{"made":true}'],
      [200, 'application/json', '[1.5,2.5]'],
      [200, 'application/json', '{"rows":[[0,1],[2,3]],"ids":[1,2]}'],
    ]);
  });

  test('fails as a JavaScript ingress does', async () => {
    const error = await fetch(`${url}/web/user-error`);
    expect([error.status, await error.text()]).toEqual([500, expect.not.stringContaining('secret')]);
    expect((await fetch(`${url}/web/shown-error`)).status).toBe(418);
    expect((await fetch(`${url}/web/coded-error`)).status).toBe(400);
    expect((await fetch(`${url}/web/text`)).status).toBe(200);
  });

  test('gets the parsed body for a parameter of another type, and nothing without a parameter', async () => {
    expect(await (await post('/body', [1, 2.5])).json()).toEqual({ sum: 3.5 });
    expect(await (await fetch(`${url}/nothing`)).text()).toBe('here');
  });

  test('streams', async () => {
    expect(await (await post('/stream', ['a', 'b', 'c'])).text()).toBe('abc');
    expect(await (await fetch(`${url}/lines`)).text()).toBe(
      [0, 1, 2].map((number) => `{"number":${number},"method":"GET"}\n`).join(''),
    );
  });

  test('has schemas, which the thread checks', async () => {
    expect((await post('/checked', ['a'])).status).toBe(422);
    expect(await (await post('/checked', [1, 2])).json()).toEqual({ sum: 3 });
  });
});
