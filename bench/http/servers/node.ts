import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { listen } from '../listen.ts';
import type { Framework, RouteName } from '../site.ts';
import { chunks, compute, JSON_RESULT, size, tickedTokens, tokens } from '../work.ts';

type Handler = (req: IncomingMessage, res: ServerResponse) => void;
type Handlers = Readonly<Partial<Record<RouteName, Handler>>>;

export const nodeSite: Framework = {
  plain: () =>
    listenTo({
      json: (_req, res) => sendJson(res, JSON_RESULT),
      echo: async (req, res) => sendBytes(res, await bodyOf(req)),
      upload: async (req, res) => sendJson(res, size(await bodyOf(req))),
      stream: (_req, res) => sendText(res, chunks()),
      tokens: (_req, res) => sendText(res, tokens()),
      events: (_req, res) => sendEvents(res),
      busy: (_req, res) => sendJson(res, compute()),
    }),

  serve: ({ middleware }) => listenTo(middleware),

  serveAlone: (json) => listenTo({ json }),

  delegate: (to) =>
    listenTo({
      json: async (_req, res) => sendJson(res, await to.json()),
      echo: async (req, res) => sendBytes(res, await to.echo(await bodyOf(req))),
      upload: async (req, res) => sendJson(res, await to.upload(await bodyOf(req))),
      busy: async (_req, res) => sendJson(res, await to.busy()),
    }),
};

function listenTo(handlers: Handlers) {
  return listen((req, res) => {
    const handler = handlers[req.url?.slice(1) as RouteName];
    if (handler === undefined) res.writeHead(404).end();
    else handler(req, res);
  });
}

async function sendText(res: ServerResponse, source: AsyncIterable<string>): Promise<void> {
  res.setHeader('content-type', 'text/plain; charset=utf-8');
  for await (const chunk of source) if (!res.write(chunk)) await once(res, 'drain');
  res.end();
}

async function sendEvents(res: ServerResponse): Promise<void> {
  res.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-cache' });
  for await (const token of tickedTokens()) if (!res.write(`data: ${token}\n\n`)) await once(res, 'drain');
  res.end();
}

function bodyOf(req: IncomingMessage): Promise<Buffer> {
  return new Promise((resolve) => {
    const parts: Buffer[] = [];
    req.on('data', (part: Buffer) => parts.push(part));
    req.on('end', () => resolve(Buffer.concat(parts)));
  });
}

function sendJson(res: ServerResponse, value: unknown): void {
  const text = JSON.stringify(value);
  res.setHeader('content-type', 'application/json; charset=utf-8');
  res.setHeader('content-length', Buffer.byteLength(text));
  res.end(text);
}

function sendBytes(res: ServerResponse, body: Uint8Array): void {
  res.setHeader('content-type', 'application/octet-stream');
  res.setHeader('content-length', body.byteLength);
  res.end(body);
}
