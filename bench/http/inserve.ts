import { createServe, type ServeMiddleware } from 'inserve';
import { busy, echo, json, stream, upload } from './deployments.ts';
import type { RouteName } from './site.ts';

/** One replica for each route. Against the package by its name, so that what is built and shipped is measured. */
export async function startInserve(isolation: 'thread' | 'inline') {
  const serve = createServe();
  const middleware: Record<RouteName, ServeMiddleware> = {
    json: serve.middleware(json.options({ isolation }).bind()),
    echo: serve.middleware(echo.options({ isolation }).bind()),
    upload: serve.middleware(upload.options({ isolation }).bind()),
    stream: serve.middleware(stream.options({ isolation }).bind()),
    // Computing on the host's own thread is what it is compared with.
    busy: serve.middleware(busy.bind()),
  };
  await Promise.all(Object.values(middleware).map((each) => each.ready()));
  return { middleware, close: () => serve.close() };
}
