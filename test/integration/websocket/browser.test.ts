import type { Browser, Page } from 'puppeteer-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { both } from '../../fixtures/http/sockets.ts';
import { startBrowser } from '../../support/http/browser.ts';
import { listen } from '../../support/http/listen.ts';
import { type TalkingApp, talking } from './setup.ts';

let app: TalkingApp;
let browser: Browser;
let page: Page;
beforeAll(async () => {
  [app, browser] = await Promise.all([
    talking({ app: both.bind(), webSocket: { protocols: ['chat'] } }),
    startBrowser(),
  ]);
  page = await browser.newPage();
  await page.goto(`http://127.0.0.1:${app.port}/page`);
}, 180_000);
afterAll(async () => {
  await browser?.close();
  await app?.[Symbol.asyncDispose]();
});

/** Runs in the page, with `connect(path, protocols?)` there: a socket that keeps what it hears. */
function inPage(body: string, at: Page = page): Promise<unknown> {
  return at.evaluate(`(async () => {
    function connect(path, protocols = []) {
      const socket = new WebSocket('ws://127.0.0.1:${app.port}' + path, protocols);
      socket.binaryType = 'arraybuffer';
      const heard = [];
      let wake = () => {};
      socket.onmessage = ({ data }) => { heard.push(data); wake(); };
      return Object.assign(socket, {
        opened: new Promise((resolve, reject) => { socket.onopen = resolve; socket.onerror = () => reject(new Error('refused')); }),
        over: new Promise((resolve) => { socket.onclose = ({ code, reason, wasClean }) => resolve([code, reason, wasClean]); }),
        async next() { while (heard.length === 0) await new Promise((resolve) => { wake = resolve; }); return heard.shift(); },
      });
    }
    ${body}
  })()`);
}

describe('in a browser', () => {
  test('text, bytes, and a sub-protocol', async () => {
    const heard = await inPage(`
      const socket = connect('/echo', ['other', 'chat']);
      await socket.opened;
      socket.send('grüße 🚀');
      socket.send(new Uint8Array([0, 255]));
      socket.send(new Blob(['blob']));
      socket.send('x'.repeat(1_000_000));
      const text = await socket.next();
      const bytes = [...new Uint8Array(await socket.next())];
      const blob = new TextDecoder().decode(await socket.next());
      const long = (await socket.next()).length;
      socket.close();
      return [socket.protocol, text, bytes, blob, long];
    `);
    expect(heard).toEqual(['chat', 'grüße 🚀', [0, 255], 'blob', 1_000_000]);
  });

  test('55: close codes, both ways', async () => {
    expect(
      await inPage(`
        const socket = connect('/close', ['chat']);
        await socket.opened;
        socket.send('[3000,"enough"]');
        return socket.over;
      `),
    ).toEqual([3000, 'enough', true]);
    expect(
      await inPage(`
        const socket = connect('/echo?key=browser', ['chat']);
        await socket.opened;
        socket.close(4001, 'bye');
        return socket.over;
      `),
    ).toEqual([4001, 'bye', true]);
    await app.handle.until.remote('browser:closed:4001:bye:true');
  });

  test('a page that goes away closes with 1001', async () => {
    const other = await browser.newPage();
    await other.goto(`http://127.0.0.1:${app.port}/page`);
    await inPage(`await connect('/echo?key=away', ['chat']).opened`, other);
    await other.goto('about:blank');
    await app.handle.until.remote('away:closed:1001::true');
    await other.close();
  });

  test('security row 35: a page of another origin is not let in', async () => {
    await using foreign = await listen((_req, res) => void res.end('<p>elsewhere'));
    const other = await browser.newPage();
    await other.goto(`http://127.0.0.1:${foreign.port}/`);
    await expect(inPage(`await connect('/echo?key=foreign', ['chat']).opened`, other)).rejects.toThrow(
      'refused',
    );
    await other.close();
    expect(await app.handle.count.remote('foreign:began')).toBe(0);
  });
});
