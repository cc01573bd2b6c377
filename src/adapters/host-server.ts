import type { IncomingMessage } from 'node:http';
import type { Logger } from '../observe/logger.ts';

/** The settings of Node's HTTP server; a server of HTTP/2 has none of them. */
interface HostServer {
  readonly headersTimeout?: unknown;
  readonly requestTimeout?: unknown;
  readonly insecureHTTPParser?: unknown;
}

/** Servers that were inspected. */
const known = new WeakSet<object>();

/**
 * Warns the host, once per server, of settings that make it vulnerable whatever the apps do. The settings belong to the host,
 * so they are not changed. Called for every request; after the first one of a server it costs one lookup in a set.
 */
export function inspectServerOf(req: IncomingMessage, log: Logger): void {
  // Node's HTTP server sets this property; the sockets of test tools such as Fastify's `inject` do not have it.
  const { server } = (req.socket ?? {}) as { readonly server?: unknown };
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
      "the host's server has no headersTimeout: a client may send its headers for ever; set it (Node's default is 60 000 ms)",
    );
  }
  if (requestTimeout === 0) {
    log.warn(
      { requestTimeout },
      "the host's server has no requestTimeout: a client may send a body that another route reads for ever; set it (Node's default is 300 000 ms, Fastify's is 0)",
    );
  }
}

/** The default of servers that do not set `insecureHTTPParser`. */
function isParserInsecure(): boolean {
  const flags = [...process.execArgv, ...(process.env['NODE_OPTIONS'] ?? '').split(/\s+/)];
  return flags.includes('--insecure-http-parser');
}
