import { type FlatHeaders, flatten } from '../../channel/http-envelope.ts';
import { headersOf } from './foreign.ts';
import { isHopByHop } from './hop-by-hop.ts';

/** Characters that Node refuses in a header, some of which undici accepts. NUL separates the flat headers. */
const REFUSED = /[^\t\x20-\x7e\x80-\xff\0]/;

/**
 * The headers of a response that user code returned, ready to be sent to the host.
 *
 * @throws TypeError for a header that cannot be sent
 */
export function responseHeaders(response: Response): FlatHeaders {
  const { headers, status, url } = response;
  if (status < 200 || status > 599) throw new TypeError(`a response with status ${status} cannot be sent`);
  // The body of a response of `fetch()` is already decoded, so these two headers no longer apply.
  const isDecoded = url !== undefined && url !== '' && headers.has('content-encoding');
  const listed =
    headers
      .get('connection')
      ?.toLowerCase()
      .split(/\s*,\s*/) ?? [];
  const pairs: string[] = [];
  for (const [name, value] of headersOf(response)) {
    // A 426 must name the protocol to upgrade to (RFC 9110, 15.5.22).
    const isPoint = status === 426 && name === 'upgrade';
    if (!isPoint && (isHopByHop(name) || listed.includes(name))) continue;
    if (isDecoded && (name === 'content-encoding' || name === 'content-length')) continue;
    pairs.push(name, value);
  }
  const flat = flatten(pairs);
  if (REFUSED.test(flat)) throw new TypeError('a header of the response holds a control character');
  return flat;
}
