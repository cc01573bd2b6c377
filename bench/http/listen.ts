import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Site } from './site.ts';

export async function listen(listener: RequestListener): Promise<Site> {
  return siteOf(createServer(listener).listen(0, '127.0.0.1'));
}

export async function siteOf(server: Server): Promise<Site> {
  if (!server.listening) await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    close: async () => {
      server.closeAllConnections();
      server.close();
    },
  };
}
