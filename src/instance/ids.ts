import { randomBytes } from 'node:crypto';

/** A short random id of letters and digits. */
export function randomId(length: number): string {
  let id = '';
  while (id.length < length)
    id += randomBytes(length)
      .toString('base64url')
      .replace(/[^A-Za-z0-9]/g, '')
      .toLowerCase();
  return id.slice(0, length);
}
