import { pathOf, readPem } from '../tls/certificates.ts';

/** Options of ioredis that are options of TLS, and those among them that may be paths of files. */
const TLS_OPTIONS = ['tls', 'sentinelTLS'];
const FILES = ['ca', 'cert', 'key'];

/**
 * Replaces paths and `file:` URLs of certificates in options of ioredis by their contents, which are read again for each connection.
 *
 * @throws ServeError `SERVE_INVALID_OPTION` for a file that cannot be read
 */
export function withFiles(options: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const result: Record<string, unknown> = { ...options };
  for (const name of TLS_OPTIONS) {
    const tls = options[name];
    if (typeof tls === 'object' && tls !== null) result[name] = readAtEachCopy({ ...tls });
  }
  return result;
}

/** ioredis copies the options of TLS at each attempt to connect, so that a getter is asked then. */
function readAtEachCopy(tls: Record<string, unknown>): Record<string, unknown> {
  for (const name of FILES) {
    const given = tls[name];
    if (typeof given !== 'string' || pathOf(given) === undefined) continue;
    const read = (): string | Buffer => readPem(given, `createServe.redis.tls.${name}`);
    let last = read();
    const get = (): string | Buffer => {
      try {
        last = read();
      } catch {
        // The file is being replaced.
      }
      return last;
    };
    Object.defineProperty(tls, name, { enumerable: true, get });
  }
  return tls;
}
