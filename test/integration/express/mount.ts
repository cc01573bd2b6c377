import express from 'express';
import { listen } from '../../support/http/listen.ts';
import type { Mount } from '../every-framework/suites.ts';

export const mountExpress: Mount = ({ serve, app, options, path = '/', behind = false }) => {
  const host = express();
  host.use(path, serve.middleware(app, options));
  if (behind)
    host.use(express.json(), (req, res) => void res.json({ behind: isEmpty(req.body) ? null : req.body }));
  return listen(host);
};

/** Express 4 makes an empty object of no body. */
function isEmpty(body: unknown): boolean {
  return Object.keys(body ?? {}).length === 0;
}
