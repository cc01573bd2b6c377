import { hash } from 'node:crypto';
import type { HttpResponse } from '../exchange.ts';

/** A generator of entity tags, which Express keeps in the settings of an app. */
type EntityTag = (body: string | Uint8Array, encoding: 'utf8') => string | undefined;

/** Express' setting `etag`: the name of one of its two generators, or a generator of the app. */
type TagSetting = 'weak' | 'strong' | EntityTag;

/**
 * Gives an answer the entity tag that Express gives its own answers (setting `etag`), and returns whether the client already
 * has the body. Other frameworks make no tags by default.
 *
 * @param res a response whose status and headers are set
 */
export function isKnownToClient(res: HttpResponse, body: string | Uint8Array): boolean {
  const { req } = res;
  if (req.method !== 'GET' && req.method !== 'HEAD') return false;
  const settings = settingsOf((res as { readonly app?: unknown }).app);
  if (settings === undefined) return false;
  if (!res.hasHeader('etag')) {
    const tag = tagOf(settings, body);
    if (tag) res.setHeader('etag', tag);
  }
  // `fresh` is Express' own comparison. `rawHeaders` is read first, because Node makes the object `headers` when it is read.
  return isConditional(req.rawHeaders) && Reflect.get(req, 'fresh') === true;
}

function settingsOf(app: unknown): object | undefined {
  if ((typeof app !== 'object' || app === null) && typeof app !== 'function') return undefined;
  const settings: unknown = Reflect.get(app, 'settings');
  return typeof settings === 'object' && settings !== null ? settings : undefined;
}

/** Makes Express' own two tags here, byte for byte, because its `createHash` takes three times as long as `hash` for a small body. */
function tagOf(settings: object, body: string | Uint8Array): string | undefined {
  const generator: unknown = Reflect.get(settings, 'etag fn');
  if (typeof generator !== 'function') return undefined;
  const setting = Reflect.get(settings, 'etag') as TagSetting;
  if (setting !== 'weak' && setting !== 'strong') return (generator as EntityTag)(body, 'utf8');
  const length = Buffer.byteLength(body).toString(16);
  const digest = hash('sha1', body, 'base64').slice(0, DIGEST_LENGTH);
  return `${setting === 'weak' ? 'W/' : ''}"${length}-${digest}"`;
}

/** The length of a SHA-1 in base64 without padding. */
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
