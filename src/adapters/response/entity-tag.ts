import { hash } from 'node:crypto';
import type { HttpResponse } from '../exchange.ts';

/** Makes the tag of a body; Express keeps it among the settings of an app. */
type EntityTag = (body: string | Uint8Array, encoding: 'utf8') => string | undefined;

/** Express' setting `etag`: the names of its own two generators, or a generator of the app's. */
type TagSetting = 'weak' | 'strong' | EntityTag;

/**
 * Gives an answer the tag that Express gives its own (`etag` of the app's settings), and tells whether the client has it
 * already. Other frameworks tag nothing by themselves.
 *
 * @param res its status and headers are set
 */
export function isKnownToClient(res: HttpResponse, body: string | Uint8Array): boolean {
  const { req } = res;
  if (req.method !== 'GET' && req.method !== 'HEAD') return false;
  const settings = settingsOf(Reflect.get(res, 'app'));
  if (settings === undefined) return false;
  if (!res.hasHeader('etag')) {
    const tag = tagOf(settings, body);
    if (tag) res.setHeader('etag', tag);
  }
  // Express' own comparison with the headers of the request; `headers` is an object that Node makes when it is asked for.
  return isConditional(req.rawHeaders) && Reflect.get(req, 'fresh') === true;
}

function settingsOf(app: unknown): object | undefined {
  if ((typeof app !== 'object' || app === null) && typeof app !== 'function') return undefined;
  const settings: unknown = Reflect.get(app, 'settings');
  return typeof settings === 'object' && settings !== null ? settings : undefined;
}

/** Express' own two tags are made here, letter for letter: `createHash` takes three times as long as `hash` for a small body. */
function tagOf(settings: object, body: string | Uint8Array): string | undefined {
  const generator: unknown = Reflect.get(settings, 'etag fn');
  if (typeof generator !== 'function') return undefined;
  const setting = Reflect.get(settings, 'etag') as TagSetting;
  if (setting !== 'weak' && setting !== 'strong') return (generator as EntityTag)(body, 'utf8');
  const length = Buffer.byteLength(body).toString(16);
  const digest = hash('sha1', body, 'base64').slice(0, DIGEST_LENGTH);
  return `${setting === 'weak' ? 'W/' : ''}"${length}-${digest}"`;
}

/** A SHA-1 in base64 without its padding. */
const DIGEST_LENGTH = 27;

/** Headers that make a request conditional. */
const CONDITIONAL = /^if-(?:none-match|modified-since)$/i;

function isConditional(rawHeaders: readonly string[]): boolean {
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] as string;
    if (name.length >= 13 && CONDITIONAL.test(name)) return true;
  }
  return false;
}
