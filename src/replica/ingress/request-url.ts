/** Characters of a path and query that `URL` leaves as they are, and no dot where a segment begins. */
const PLAIN = /^\/(?!\.)(?:(?!\/\.|%2e)[\w!$&()*+,\-./:;=@~%'])*(?:\?[\w!$&()*+,\-./:;=@~%?]*)?$/i;
const ORIGIN = /^https?:\/\/[^/]*/;

/** The last origin that was seen, and what `URL` makes of it: most requests to a server name the same host. */
let given = '';
let normal = '';

/** A request's URL as `new URL(url).href` spells it, mostly without building one. */
export function normalizeUrl(url: string): string {
  const [origin = ''] = ORIGIN.exec(url) ?? [];
  const rest = url.slice(origin.length);
  if (origin !== given) {
    normal = new URL(origin).origin;
    given = origin;
  }
  return PLAIN.test(rest) ? normal + rest : new URL(url).href;
}
