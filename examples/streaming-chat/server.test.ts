import type { Browser, Page } from 'puppeteer-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type RunningExample, startExample } from '../../test/support/example.ts';
import { startBrowser } from '../../test/support/http/browser.ts';
import type { ModelStats } from './models.ts';

let example: RunningExample;
let browser: Browser;
beforeAll(async () => {
  // Slow enough that an answer is still under way when somebody clicks on Stop, on a busy machine as well.
  const slow = { TOKENS_PER_SECOND: '8' };
  [example, browser] = await Promise.all([startExample('streaming-chat', slow), startBrowser()]);
}, 180_000);
afterAll(async () => {
  await browser?.close();
  await example?.[Symbol.asyncDispose]();
});

const stats = async (): Promise<ModelStats> =>
  (await (await fetch(`${example.url}/stats`)).json()) as ModelStats;

/** A fresh page, with everything that went wrong in it. */
async function open(): Promise<{ page: Page; errors: string[] }> {
  const page = await browser.newPage();
  const errors: string[] = [];
  page.on('pageerror', (error) => errors.push(String(error)));
  page.on('requestfailed', (request) => errors.push(request.url()));
  await page.goto(example.url);
  return { page, errors };
}

async function ask(page: Page, prompt: string, transport: string): Promise<void> {
  await page.select('select', transport);
  await page.type('input[name=prompt]', prompt);
  await page.click('#send');
}

/** Words of the newest answer, once there are so many. */
async function words(page: Page, least: number): Promise<string[]> {
  const shown = "([...document.querySelectorAll('.answer')].at(-1)?.textContent ?? '').split(' ')";
  const handle = await page.waitForFunction(`${shown}.length >= ${least} && ${shown}`, { polling: 20 });
  return (await handle.jsonValue()) as string[];
}

describe('the page, in a browser', () => {
  test.each(['sse', 'websocket'])(
    'over %s: the answer grows token by token; Stop ends it in the model',
    async (transport) => {
      const before = await stats();
      expect(before.contexts).toBeGreaterThan(1_000);
      const { page, errors } = await open();
      await ask(page, 'What is a replica?', transport);
      const first = await words(page, 3);
      expect((await stats()).speaking).toBe(1);
      const more = await words(page, first.length + 3);
      expect(more.slice(0, first.length - 1)).toEqual(first.slice(0, -1));
      await page.click('#stop');
      await expect.poll(stats).toMatchObject({ speaking: 0, stopped: before.stopped + 1 });
      await page.waitForSelector('.answer:not(.speaking)');
      expect((await words(page, 1)).at(-1)).toBe('(stopped)');
      expect(errors.filter((error) => !error.includes('/chat?prompt='))).toEqual([]);
      await page.close();
    },
  );

  test('a tab that is closed takes its answer along', async () => {
    const before = await stats();
    for (const transport of ['sse', 'websocket']) {
      const { page } = await open();
      await ask(page, 'handles', transport);
      await words(page, 2);
      await page.close();
    }
    await expect.poll(stats).toMatchObject({ speaking: 0, stopped: before.stopped + 2 });
  });
});

test('curl gets the same as text', async () => {
  const abort = new AbortController();
  const response = await fetch(`${example.url}/chat?prompt=streams`, { signal: abort.signal });
  expect(response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
  let text = '';
  for await (const chunk of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
    text += chunk;
    if (text.split('\n\n').length > 4) break;
  }
  expect(text).toMatch(/^data: \{"piece":"streams"\}\n\ndata: \{"piece":"[^"]+"\}\n\n/i);
  abort.abort();
});
