import { createRoute, OpenAPIHono, z } from '@hono/zod-openapi';
import { context, deployment } from 'inserve';

const Count = z.object({ count: z.number() }).openapi('Count');
const By = z.object({ by: z.coerce.number().int().min(1).max(100).default(1) });

const answer = { 200: { description: 'The count', content: { 'application/json': { schema: Count } } } };
const get = createRoute({ method: 'get', path: '/', responses: answer });
const incr = createRoute({ method: 'get', path: '/incr', request: { query: By }, responses: answer });
const decr = createRoute({ method: 'get', path: '/decr', request: { query: By }, responses: answer });

/** A whole router as an ingress, with the state of the replica in reach of its routes. */
export class Counter {
  #count = 0;
  readonly #router = new OpenAPIHono();

  constructor() {
    this.#router.openapi(get, (c) => c.json({ count: this.#count }, 200));
    this.#router.openapi(incr, (c) => c.json(this.#add(c.req.valid('query').by), 200));
    this.#router.openapi(decr, (c) => c.json(this.#add(-c.req.valid('query').by), 200));
    this.#router.doc31('/openapi.json', () => ({
      openapi: '3.1.0',
      info: { title: 'Counter', version: '1.0.0' },
      // The router does not know where the host has mounted it.
      servers: [{ url: context().mountPath }],
    }));
  }

  #add(by: number) {
    this.#count += by;
    return { count: this.#count };
  }

  fetch(request: Request) {
    return this.#router.fetch(request);
  }
}

// One replica: two would count apart.
export const counter = deployment(Counter, { name: 'Counter', module: import.meta.url });
