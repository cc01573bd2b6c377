import type { IncomingMessage } from 'node:http';
import type { Logger } from '../observe/logger.ts';

/** What Node's server tells of its settings. HTTP/2's has none of them. */
interface HostServer {
  readonly headersTimeout?: unknown;
  readonly requestTimeout?: unknown;
  readonly insecureHTTPParser?: unknown;
}

/** Servers that were looked at. */
const known = new WeakSet<object>();

/**
 * Tells the host, once per server, what makes it easy prey whatever the apps do: how its server is set up is not ours to
 * change. Called for every request; but for the first of a server it costs one look into a set.
 */
export function inspectServerOf(req: IncomingMessage, log: Logger): void {
  // Node's HTTP server puts itself there; what stands in for a socket in tests has none.
  const server: unknown = Reflect.get(req.socket ?? {}, 'server');
  if (typeof server === 'object' && server !== null && !known.has(server)) inspectServer(server, log);
}

export function inspectServer(server: object, log: Logger): void {
  if (known.has(server)) return;
  known.add(server);
  const { headersTimeout, requestTimeout, insecureHTTPParser = isParserInsecure() } = server as HostServer;
  if (insecureHTTPParser === true) {
    log.warn(
      { insecureHTTPParser },
      "the host's server runs with insecureHTTPParser: requests can be smuggled past proxies and guards in front of it; remove the option, or --insecure-http-parser",
    );
  }
  if (headersTimeout === 0) {
    log.warn(
      { headersTimeout },
      "the host's server has no headersTimeout: a client may take for ever over its headers; set it (Node's default is 60 000 ms)",
    );
  }
  if (requestTimeout === 0) {
    log.warn(
      { requestTimeout },
      "the host's server has no requestTimeout: a client may take for ever over a body that another route reads; set it (Node's default is 300 000 ms, Fastify's is 0)",
    );
  }
}

/** What servers get that do not say. */
function isParserInsecure(): boolean {
  const flags = [...process.execArgv, ...(process.env['NODE_OPTIONS'] ?? '').split(/\s+/)];
  return flags.includes('--insecure-http-parser');
}
