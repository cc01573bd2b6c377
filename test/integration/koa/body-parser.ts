import { createRequire } from 'node:module';
import type { Middleware } from 'koa';

interface Options {
  readonly enableTypes?: readonly string[];
  readonly jsonLimit?: string;
}

const require = createRequire(import.meta.url);

/** `@koa/bodyparser`, whose types would give every `IncomingMessage` of the program a body, Express' too. */
export const { bodyParser } = require('@koa/bodyparser') as {
  readonly bodyParser: (options?: Options) => Middleware;
};
