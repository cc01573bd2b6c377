import { once } from 'node:events';
import express, { type RequestHandler } from 'express';
import { listen } from '../listen.ts';
import { type Framework, ROUTES } from '../site.ts';
import { chunks, compute, JSON_RESULT, size, tickedTokens, tokens } from '../work.ts';

const bytes = express.raw({ type: () => true, limit: '1mb' });

function text(source: () => AsyncIterable<string>): RequestHandler {
  return async (_req, res) => {
    res.type('text/plain');
    for await (const chunk of source()) if (!res.write(chunk)) await once(res, 'drain');
    res.end();
  };
}

const events: RequestHandler = async (_req, res) => {
  res.type('text/event-stream').set('cache-control', 'no-cache');
  for await (const token of tickedTokens()) if (!res.write(`data: ${token}\n\n`)) await once(res, 'drain');
  res.end();
};

export const expressSite: Framework = {
  plain() {
    const app = express();
    app.get('/json', (_req, res) => void res.json(JSON_RESULT));
    app.post('/echo', bytes, (req, res) => void res.send(req.body));
    app.post('/upload', bytes, (req, res) => void res.json(size(req.body)));
    app.get('/stream', text(chunks));
    app.get('/tokens', text(tokens));
    app.get('/events', events);
    app.get('/busy', (_req, res) => void res.json(compute()));
    return listen(app);
  },

  serve({ middleware }) {
    const app = express();
    for (const route of ROUTES) app.use(`/${route}`, middleware[route]);
    return listen(app);
  },

  delegate(to) {
    const app = express();
    app.get('/json', async (_req, res) => void res.json(await to.json()));
    app.post('/echo', bytes, async (req, res) => void res.send(Buffer.from(await to.echo(req.body))));
    app.post('/upload', bytes, async (req, res) => void res.json(await to.upload(req.body)));
    app.get('/busy', async (_req, res) => void res.json(await to.busy()));
    return listen(app);
  },
};
