import { expect, test } from 'vitest';
import type { Serve, ServeConfig } from '../../src/index.ts';
import { listen } from '../support/http/listen.ts';
import { quietServe } from '../support/quiet.ts';

function config(language: string, length = 2): ServeConfig {
  return {
    apps: [
      {
        name: 'text',
        routePrefix: '/summarize_translate',
        import: './test/acceptance/programs/text-ml.ts:textApp',
        deployments: [
          { name: 'Translator', numReplicas: 2, userConfig: { language } },
          { name: 'Summarizer', userConfig: { length } },
        ],
      },
    ],
  };
}

const replicas = (serve: Serve) =>
  Object.values(serve.status().apps['text']?.deployments ?? {})
    .flatMap((deployment) => deployment.replicas.map(({ id }) => id))
    .sort();

test('text_ml: deployed by a config; another language is switched to without a restart', async () => {
  await using serve = quietServe();
  await using server = await listen(serve.middleware());
  const ask = async (): Promise<string> => {
    const url = `http://127.0.0.1:${server.port}/summarize_translate`;
    return await (await fetch(url, { method: 'POST', body: 'hello world good morning' })).text();
  };
  await serve.deploy(config('german'));
  expect(await ask()).toBe('hallo welt');
  const before = replicas(serve);
  await serve.deploy(config('french'));
  expect(await ask()).toBe('bonjour monde');
  await serve.deploy(config('french', 4));
  expect(await ask()).toBe('bonjour monde bon matin');
  expect(replicas(serve)).toEqual(expect.arrayContaining(before));

  await expect(serve.deploy(config('klingon'))).rejects.toMatchObject({
    code: 'SERVE_DEPLOY_FAILED',
    deployment: 'Translator',
    message: expect.stringContaining("no words of 'klingon'"),
  });
  expect(await ask()).toBe('bonjour monde bon matin');
});
