import { describe, expect, test } from 'vitest';
import { eventsOf, formatEvent, sse } from './sse.ts';

describe('an event', () => {
  test.each<[unknown, string]>([
    ['text', 'data: text\n\n'],
    ['', 'data: \n\n'],
    ['a\nb\r\nc\rd', 'data: a\ndata: b\ndata: c\ndata: d\n\n'],
    [{ token: 'x' }, 'data: {"token":"x"}\n\n'],
    [{ id: 7 }, 'data: {"id":7}\n\n'],
    [{ data: 'x', more: 1 }, 'data: {"data":"x","more":1}\n\n'],
    [[1, 2], 'data: [1,2]\n\n'],
    [0.5, 'data: 0.5\n\n'],
    [null, 'data: null\n\n'],
    [undefined, 'data: null\n\n'],
    [{ data: 'x', event: 'tick', id: 'a1', retry: 500 }, 'event: tick\nid: a1\nretry: 500\ndata: x\n\n'],
    [{ data: { a: 'x\ny' }, id: 3 }, 'id: 3\ndata: {"a":"x\\ny"}\n\n'],
    [{ event: 'done' }, 'event: done\ndata:\n\n'],
    [{ comment: 'two\nlines' }, ': two\n: lines\n\n'],
    [{ retry: 0 }, 'retry: 0\n\n'],
  ])('%j', (item, text) => {
    expect(formatEvent(item)).toBe(text);
  });

  test.each([
    { event: 'a\nb' },
    { data: 'x', id: 'a\r' },
    { data: 'x', id: 'a\0' },
    { retry: 1.5 },
    { retry: -1 },
    { comment: 5 },
    { data: () => 1 },
  ])('%j cannot be one', (item) => {
    expect(() => formatEvent(item)).toThrow(TypeError);
  });
});

describe('the stream', () => {
  test('its headers keep caches, compression and proxies away; own ones win', () => {
    const { headers } = sse([], { headers: { 'cache-control': 'private', 'x-more': '1' } });
    expect(Object.fromEntries(headers)).toEqual({
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'private',
      'x-accel-buffering': 'no',
      'x-more': '1',
    });
  });

  test('iterables, async iterables and streams', async () => {
    const items = ['a', 'b'];
    async function* later() {
      yield* items;
    }
    for (const events of [items, later(), ReadableStream.from(items)])
      expect(await sse(events).text()).toBe('data: a\n\ndata: b\n\n');
    expect(() => sse(5 as never)).toThrow('sse(events)');
    expect(() => sse([], { heartbeat: 1 } as never)).toThrow('heartbeatMs');
  });

  test('comments while it is quiet, until it is left', async () => {
    let isLeft = false;
    async function* quiet() {
      try {
        yield 'first';
        await new Promise((resolve) => setTimeout(resolve, 50));
        yield 'second';
        await new Promise(() => {});
      } finally {
        isLeft = true;
      }
    }
    const source = quiet();
    const reader = sse(source, { heartbeatMs: 5 }).body?.pipeThrough(new TextDecoderStream()).getReader();
    let text = '';
    while (!text.includes('second')) text += (await reader?.read())?.value;
    expect(text).toMatch(/^data: first\n\n(?::\n\n)+data: second\n\n$/);
    expect(isLeft).toBe(false);
    await reader?.cancel();
  });

  test('an item that cannot be sent ends the source', async () => {
    let isLeft = false;
    function* wrong() {
      try {
        yield { retry: 'soon' };
      } finally {
        isLeft = true;
      }
    }
    await expect(sse(wrong()).text()).rejects.toThrow('retry');
    expect(isLeft).toBe(true);
  });

  test('closed events end for their reader at once, also while their source waits', async () => {
    async function* waiting(): AsyncGenerator<string> {
      await new Promise(() => {});
      yield 'never';
    }
    const events = eventsOf(sse(waiting()));
    const read = events?.next();
    events?.close();
    expect(await read).toEqual({ done: true, value: undefined });
    expect(await events?.next()).toEqual({ done: true, value: undefined });
  });
});
