import { Readable } from 'node:stream';
import express from 'express';
import { vi } from 'vitest';
import { listen } from '../../support/http/listen.ts';
import { type BuildHost, chunks, differential, LARGE } from './suite.ts';

// Express writes the errors of its routes there.
vi.spyOn(console, 'error').mockImplementation(() => {});

const build: BuildHost = (ours, onLeft) => {
  // Otherwise its answers to errors hold their stacks.
  const host = express().set('env', 'production');
  if (ours !== undefined) host.use(ours.path, ours.middleware);
  host.post('/upload', async (req, res) => {
    let length = 0;
    for await (const chunk of req) length += chunk.length;
    res.json({ length, trailers: req.trailers });
  });
  host.use(express.json(), express.urlencoded(), express.text());
  host.all(['/echo', '/echo/*rest'], (req, res) => {
    const { method, originalUrl, url, query, params, rawHeaders, body } = req;
    res.json({ method, originalUrl, url, query, params, rawHeaders, body });
  });
  host.all('/status/:code', (req, res) => void res.status(Number(req.params.code)).set('etag', '"e"').end());
  host.get('/headers', (_req, res) => {
    res
      .append('set-cookie', 'a=1')
      .append('set-cookie', 'b=2')
      .append('vary', 'x')
      .set('x-request-id', 'own');
    res.send('headers');
  });
  host.get('/bytes', (_req, res) => void res.send(Buffer.from([0, 255, 10])));
  host.get('/large', (_req, res) => void res.send(LARGE));
  host.get('/empty', (_req, res) => void res.end());
  host.get('/streams', (_req, res) => void Readable.from(chunks('ends')).pipe(res));
  host.get('/moved', (_req, res) => res.redirect('/echo'));
  host.get('/throws', () => {
    throw new Error('secret');
  });
  host.get('/throws-418', (_req, _res, next) => next(Object.assign(new Error('tea'), { status: 418 })));
  host.get('/breaks', async (_req, res) => {
    for await (const chunk of chunks('breaks')) res.write(chunk);
  });
  host.get('/waits', (_req, res) => {
    res.on('close', onLeft).write('waiting');
  });
  return listen(host);
};

differential('Express', build);
