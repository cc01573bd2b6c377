import { fileURLToPath } from 'node:url';
import { createServe } from 'inserve';
import { expect, onTestFinished, test } from 'vitest';
import { chat } from '../../fixtures/docs/docs-llm-streaming/chat.ts';
import { engine } from '../../fixtures/docs/docs-llm-streaming/engine.ts';
import { startServer } from '../../support/example.ts';
import { listen } from '../../support/http/listen.ts';
import { Records } from '../../support/quiet.ts';

const FOLDER = new URL('../../fixtures/docs/docs-llm-streaming/', import.meta.url);

type Ask = (
  url: string,
  prompt: string,
  onText: (text: string) => void,
  signal?: AbortSignal,
) => Promise<void>;
const { ask } = (await import(new URL('page.js', FOLDER).href)) as { ask: Ask };

const PROMPT = Array.from({ length: 60 }, (_, index) => `word${index}`).join(' ');

/** The chat of the page, behind a server of its own. */
async function start() {
  const serve = createServe({ logger: new Records(), hostGuard: { enabled: false } });
  onTestFinished(() => serve.close());
  const middleware = serve.middleware(chat);
  await middleware.ready();
  const server = await listen(middleware);
  onTestFinished(() => server[Symbol.asyncDispose]());
  const handle = serve.handle(engine);
  return { url: `http://127.0.0.1:${server.port}/`, stats: async () => handle.stats.remote() };
}

async function answer(url: string, prompt: string): Promise<string> {
  let text = '';
  await ask(url, prompt, (piece) => {
    text += piece;
  });
  return text;
}

function post(url: string, body: unknown): Promise<Response> {
  const headers = { 'content-type': 'application/json' };
  return fetch(url, { method: 'POST', headers, body: JSON.stringify(body) });
}

test('answers that are under way share the steps of the model', { timeout: 180_000 }, async () => {
  const { url, stats } = await start();
  const before = await stats();
  const answers = await Promise.all(Array.from({ length: 8 }, () => answer(url, PROMPT)));
  expect(new Set(answers)).toEqual(new Set([PROMPT]));
  const { steps, written } = await stats();
  expect(written - before.written).toBe(8);
  // One answer alone takes 61 steps, and eight that do not share them 488.
  expect(steps - before.steps).toBeLessThan(244);
});

test('the protocol: chunks, the end, an answer in one piece, a bad request', {
  timeout: 180_000,
}, async () => {
  const { url } = await start();
  const messages = [{ role: 'user', content: 'one two' }];
  const events = (await (await post(url, { stream: true, messages })).text()).trim().split('\n\n');
  expect(events.at(-1)).toBe('data: [DONE]');
  const chunks = events.slice(0, -1).map((event) => JSON.parse(event.replace('data: ', '')));
  expect(chunks.map(({ choices }) => choices[0].delta)).toEqual([
    { role: 'assistant', content: '' },
    { content: 'one ' },
    { content: 'two' },
    {},
  ]);
  expect(chunks.at(-1)).toMatchObject({
    object: 'chat.completion.chunk',
    choices: [{ finish_reason: 'stop' }],
  });
  const whole = await (await post(url, { messages })).json();
  expect(whole).toMatchObject({ object: 'chat.completion', choices: [{ message: { content: 'one two' } }] });
  expect((await post(url, { messages: [] })).status).toBe(422);
});

test('Stop in the page ends the answer in the model', { timeout: 180_000 }, async () => {
  const { url, stats } = await start();
  const button = new AbortController();
  const long = Array.from({ length: 5_000 }, (_, index) => `word${index}`).join(' ');
  const asked = ask(url, long, () => button.abort(), button.signal);
  await expect(asked).rejects.toThrow('abort');
  await expect.poll(stats, { timeout: 30_000 }).toMatchObject({ left: 1 });
});

test('the server of the page: tokens over a handle in a route', { timeout: 180_000 }, async () => {
  const server = await startServer(fileURLToPath(new URL('server.ts', FOLDER)));
  onTestFinished(() => server.kill());
  const text = async (): Promise<string> => (await fetch(`${server.url}/plain?q=a+b+c`)).text();
  await expect.poll(text, { timeout: 60_000 }).toBe('a b c');
});
