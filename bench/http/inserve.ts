import { createServe, type ServeMiddleware } from 'inserve';
import { bindApps } from './apps.ts';
import { json } from './deployments.ts';
import type { Served } from './site.ts';

/** One replica for each route. Against the package by its name, so that what is built and shipped is measured. */
export async function startInserve(isolation: 'thread' | 'inline'): Promise<Served> {
  const serve = createServe();
  const apps = bindApps(isolation);
  const middleware = {
    json: serve.middleware(apps.json),
    echo: serve.middleware(apps.echo),
    upload: serve.middleware(apps.upload),
    stream: serve.middleware(apps.stream),
    tokens: serve.middleware(apps.tokens),
    events: serve.middleware(apps.events),
    busy: serve.middleware(apps.busy),
  };
  await Promise.all(Object.values(middleware).map((each) => each.ready()));
  return { serve, apps, middleware };
}

/** One replica in all, for the no-op route: as many threads as the floor and a pool of one worker have. */
export async function startAlone(): Promise<{ json: ServeMiddleware; close(): Promise<void> }> {
  const serve = createServe();
  const middleware = serve.middleware(json.bind());
  await middleware.ready();
  return { json: middleware, close: () => serve.close() };
}
