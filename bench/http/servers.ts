import { startFloor } from './floor.ts';
import { startAlone, startInserve } from './inserve.ts';
import { startPiscina } from './piscina.ts';
import type { Framework, Site } from './site.ts';

/** Loaded in its own process only: one that cannot be imported must not take the others along. */
export const FRAMEWORKS: Readonly<Record<string, () => Promise<Framework>>> = {
  express: async () => (await import('./servers/express.ts')).expressSite,
  koa: async () => (await import('./servers/koa.ts')).koaSite,
  fastify: async () => (await import('./servers/fastify.ts')).fastifySite,
  middie: async () => (await import('./servers/fastify.ts')).middieSite,
  node: async () => (await import('./servers/node.ts')).nodeSite,
};

/** Who does the work of a route. */
export const BACKENDS = [
  'plain',
  'inline',
  'thread',
  'alone',
  'floor',
  'piscina',
  'piscina-default',
] as const;
export type Backend = (typeof BACKENDS)[number];

export async function startSite(framework: Framework, backend: Backend): Promise<Site> {
  switch (backend) {
    case 'plain':
      return framework.plain();
    case 'inline':
    case 'thread': {
      const served = await startInserve(backend);
      return closing(await framework.serve(served), () => served.serve.close());
    }
    case 'alone': {
      if (framework.serveAlone === undefined) throw new Error('there is no server with a single app');
      const { json, close } = await startAlone();
      return closing(await framework.serveAlone(json), close);
    }
    case 'floor':
    case 'piscina':
    case 'piscina-default': {
      if (framework.delegate === undefined) throw new Error('there are no routes for a pool');
      const { delegate, close } =
        backend === 'floor' ? await startFloor() : startPiscina(backend === 'piscina');
      return closing(await framework.delegate(delegate), close);
    }
  }
}

function closing(site: Site, close: () => Promise<void>): Site {
  return {
    port: site.port,
    close: async () => {
      await site.close();
      await close();
    },
  };
}
