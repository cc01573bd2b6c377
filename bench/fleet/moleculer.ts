import { ServiceBroker } from 'moleculer';
import { freePort } from '../../test/support/free-port.ts';
import type { Contender } from './session.ts';
import { type Small, work } from './work.ts';

/** Milliseconds until the brokers must have found each other. */
const DISCOVERY_MS = 10_000;

/**
 * Moleculer with its TCP transporter, without discovery by UDP. It has JSON only as it comes, so no binaries are measured.
 */
export const moleculer: Contender = {
  async serve() {
    const port = await freePort();
    const broker = brokerOf('server', port, '');
    broker.createService({
      name: 'echo',
      actions: { echo: ({ params }: { params: Small }) => work(params) },
    });
    await broker.start();
    return { port, close: () => broker.stop() };
  },
  async connect(port) {
    const own = await freePort();
    const broker = brokerOf('caller', own, `tcp://127.0.0.1:${port}/server`);
    await broker.start();
    await broker.waitForServices('echo', DISCOVERY_MS);
    return {
      echo: (payload) => broker.call('echo.echo', payload) as Promise<Small>,
      close: () => broker.stop(),
    };
  },
};

function brokerOf(nodeID: string, port: number, urls: string): ServiceBroker {
  return new ServiceBroker({
    nodeID,
    logger: false,
    transporter: { type: 'TCP', options: { udpDiscovery: false, port, urls } },
  });
}
