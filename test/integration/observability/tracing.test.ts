import { tracingChannel } from 'node:diagnostics_channel';
import { SpanKind } from '@opentelemetry/api';
import { createServe, type Serve } from 'inserve';
import { afterEach, describe, expect, test } from 'vitest';
import {
  exporter,
  finishedSpans,
  leaf,
  type Root,
  root,
  type SpanRecord,
} from '../../fixtures/observed/traced.ts';
import { listen } from '../../support/http/listen.ts';
import { Records } from '../../support/quiet.ts';

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const CLIENT = `00-${TRACE}-b7ad6b7169203331-01`;

function named(spans: readonly SpanRecord[], name: string, kind: SpanKind): SpanRecord {
  return spans.find((span) => span.name === name && span.kind === kind) ?? expect.fail(`no span ${name}`);
}

/** As it is published, where the threads' half is a bundle of its own. */
function packaged(): Serve {
  return createServe({ logger: new Records() });
}

afterEach(() => exporter.reset());

describe('traces', () => {
  test("from the client's context through every thread, each span the child of the one that made it", async () => {
    await using serve = packaged();
    await using server = await listen(serve.middleware(root));
    const answer = await fetch(`http://127.0.0.1:${server.port}/`, { headers: { traceparent: CLIENT } });
    const { traceparent, child } = (await answer.json()) as Awaited<ReturnType<Root['call']>>;

    const handle = serve.handle(root);
    const inRoot = await handle.spans.remote();
    const inLeaf = await serve.handle(leaf, { app: 'Root' }).spans.remote();
    const outer = named(finishedSpans(), 'Root.http', SpanKind.CLIENT);
    const rootRun = named(inRoot, 'Root.call', SpanKind.SERVER);
    const leafCall = named(inRoot, 'Leaf.work', SpanKind.CLIENT);
    const leafRun = named(inLeaf, 'Leaf.work', SpanKind.SERVER);
    const inside = named(inLeaf, 'inside', SpanKind.INTERNAL);

    expect([outer, rootRun, leafCall, leafRun, inside].map(({ traceId }) => traceId)).toEqual(
      new Array(5).fill(TRACE),
    );
    expect(outer.parent).toBe('b7ad6b7169203331');
    expect(rootRun.parent).toBe(outer.spanId);
    expect(leafCall.parent).toBe(rootRun.spanId);
    expect(leafRun.parent).toBe(leafCall.spanId);
    expect(inside.parent).toBe(leafRun.spanId);
    expect(outer.outcome).toBe('ok');
    expect(traceparent).toBe(`00-${TRACE}-${outer.spanId}-01`);
    expect(child).toBe(`00-${TRACE}-${leafCall.spanId}-01`);
  });

  test.each([
    ['of a later version', `01-${TRACE}-b7ad6b7169203331-01`],
    ['of a later version with more fields', `cc-${TRACE}-b7ad6b7169203331-ff-what-comes`],
  ])('go on from a traceparent %s, and with what vendors add to it', async (_what, traceparent) => {
    await using serve = packaged();
    await using server = await listen(serve.middleware(root));
    const headers = { traceparent, tracestate: 'vendor=of-mine,other=1' };
    const answer = await fetch(`http://127.0.0.1:${server.port}/`, { headers });
    const seen = (await answer.json()) as Awaited<ReturnType<Root['call']>>;
    expect(seen.traceparent).toMatch(new RegExp(`^00-${TRACE}-[0-9a-f]{16}-01$`));
    const inRoot = await serve.handle(root).spans.remote();
    const inLeaf = await serve.handle(leaf, { app: 'Root' }).spans.remote();
    const spans = [
      named(finishedSpans(), 'Root.http', SpanKind.CLIENT),
      named(inRoot, 'Root.call', SpanKind.SERVER),
      named(inRoot, 'Leaf.work', SpanKind.CLIENT),
      named(inLeaf, 'Leaf.work', SpanKind.SERVER),
      named(inLeaf, 'inside', SpanKind.INTERNAL),
    ];
    for (const { traceId, state } of spans)
      expect({ traceId, state }).toEqual({ traceId: TRACE, state: 'vendor=of-mine,other=1' });
    expect(spans[0]?.parent).toBe('b7ad6b7169203331');
  });

  test('a batch is one span: of its first caller, with links to all, and around what the function does', async () => {
    await using serve = packaged();
    const handle = await serve.run(leaf);
    // Twice: what is active when the second one starts belongs to the first.
    for (let round = 0; round < 2; round++) {
      await Promise.all([1, 2, 3].map((n) => handle.together.remote(n)));
    }
    const calls = finishedSpans().filter(({ name }) => name === 'Leaf.together');
    const spans = await handle.spans.remote();
    const batches = spans.filter(({ name }) => name === 'Leaf.together batch');
    const inside = spans.filter(({ name }) => name === 'in batch');
    expect(batches.map(({ batchSize }) => batchSize)).toEqual([3, 3]);
    for (const [round, batch] of batches.entries()) {
      const callers = calls.slice(3 * round, 3 * round + 3);
      expect(batch.links.sort()).toEqual(callers.map(({ spanId }) => spanId).sort());
      expect(callers.map(({ spanId }) => spanId)).toContain(batch.parent);
      expect(callers.map(({ traceId }) => traceId)).toContain(batch.traceId);
      expect(inside[round]).toMatchObject({ parent: batch.spanId, traceId: batch.traceId });
    }
  });

  test('a failure is told on both sides', async () => {
    await using serve = packaged();
    const handle = await serve.run(leaf);
    await expect(handle.fail.remote()).rejects.toThrow('no');
    expect(named(finishedSpans(), 'Leaf.fail', SpanKind.CLIENT)).toMatchObject({
      error: 'no',
      outcome: 'error',
    });
    expect(named(await handle.spans.remote(), 'Leaf.fail', SpanKind.SERVER)).toMatchObject({ error: 'no' });
  });

  test.each([
    'nonsense',
    `00-${'0'.repeat(32)}-b7ad6b7169203331-01`,
    `ff-${TRACE}-b7ad6b7169203331-01`,
    `00-${TRACE}-b7ad6b7169203331-01-more`,
  ])('a traceparent that is none is not passed on: %s', async (traceparent) => {
    await using serve = packaged();
    await using server = await listen(serve.middleware(root));
    const answer = await fetch(`http://127.0.0.1:${server.port}/`, { headers: { traceparent } });
    const seen = (await answer.json()) as Awaited<ReturnType<Root['call']>>;
    expect(seen.traceparent).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
    expect(seen.traceparent).not.toContain(TRACE);
  });

  test('the channel tells of every call exactly one start and one end', async () => {
    await using serve = packaged();
    const handle = await serve.run(leaf);
    const events: string[] = [];
    const tell = (what: string) => (message: unknown) => {
      const { method, outcome } = message as { method: string; outcome?: string };
      events.push(`${what} ${method} ${outcome ?? ''}`.trim());
    };
    const listeners = {
      start: tell('start'),
      end: () => {},
      asyncStart: () => {},
      asyncEnd: tell('end'),
      error: tell('error'),
    };
    const channel = tracingChannel('inserve:call');
    channel.subscribe(listeners);
    try {
      await handle.work.remote();
      await handle.fail.remote().catch(() => {});
      const cancelled = handle.work.remote();
      cancelled.cancel();
      await cancelled.catch(() => {});
    } finally {
      channel.unsubscribe(listeners);
    }
    expect(events).toEqual([
      'start work',
      'end work ok',
      'start fail',
      'error fail error',
      'end fail error',
      'start work',
      'error work cancelled',
      'end work cancelled',
    ]);
  });
});
