import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { invalidOption } from '../../errors.ts';
import type { LinkCertificates } from '../../wire/security.ts';

/** PEM, or the path or `file:` URL of a file with it. */
type Part = string | Buffer;

/** Reads the certificates that are given as files. @throws ServeError `SERVE_INVALID_OPTION` for a file that cannot be read */
export function readCertificates({ cert, key, ca }: LinkCertificates): LinkCertificates {
  const read = (part: Part, name: string): Part => readPem(part, `createServe.fleet.tls.${name}`);
  return { cert: read(cert, 'cert'), key: read(key, 'key'), ca: listOf(ca).map((one) => read(one, 'ca')) };
}

/** The authorities, of which one may stand alone. */
export function listOf(ca: LinkCertificates['ca']): Part[] {
  return [ca].flat() as Part[];
}

/** The path of a file; undefined for PEM itself. */
export function pathOf(part: Part): string | undefined {
  if (typeof part !== 'string' || part.includes('-----BEGIN')) return undefined;
  return part.startsWith('file:') ? fileURLToPath(part) : resolve(part);
}

/** PEM, read from its file if it is in one. @throws ServeError `SERVE_INVALID_OPTION` that names the option */
export function readPem(part: Part, option: string): Part {
  const path = pathOf(part);
  if (path === undefined) return part;
  try {
    return readFileSync(path);
  } catch {
    // A key that is not a path must not get into a log.
    const shown = path.includes('\n') ? undefined : path;
    throw invalidOption(option, shown, 'PEM, or a file with it that can be read');
  }
}
