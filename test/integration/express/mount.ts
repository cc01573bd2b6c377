import express from 'express';
import { listen } from '../../support/http/listen.ts';
import type { Mount } from '../every-framework/suites.ts';

export const mountExpress: Mount = ({ serve, app, options, path = '/', behind = false }) => {
  const host = express();
  host.use(path, serve.middleware(app, options));
  if (behind) host.use(express.json(), (req, res) => void res.json({ behind: req.body ?? null }));
  return listen(host);
};
