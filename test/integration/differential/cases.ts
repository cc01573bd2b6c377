import { gzipSync } from 'node:zlib';
import { RawClient } from '../../support/http/client.ts';

/** What goes over one connection: whole requests, one after the other; the last one closes it. */
export type Exchange = readonly (string | Uint8Array)[];

const CRLF = '\r\n';

function message(lines: readonly string[], body: string | Uint8Array = ''): Uint8Array {
  return Buffer.concat([Buffer.from(lines.join(CRLF) + CRLF + CRLF, 'latin1'), Buffer.from(body)]);
}

/** One request that closes its connection. */
function request(line: string, headers: readonly string[] = [], body?: string | Uint8Array): Exchange {
  const length = body === undefined ? [] : [`Content-Length: ${Buffer.byteLength(body)}`];
  return [
    message([`${line} HTTP/1.1`, 'Host: host.example', ...headers, ...length, 'Connection: close'], body),
  ];
}

const post = (path: string, type: string, body: string | Uint8Array, ...headers: string[]): Exchange =>
  request(`POST ${path}`, [`Content-Type: ${type}`, ...headers], body);

const FORM = 'multipart/form-data; boundary=b';
const PART = '--b\r\nContent-Disposition: form-data; name="f"\r\n\r\nvalue\r\n--b--\r\n';

/** Requests to routes of the host, and to nobody's, that must be answered as if we were not there. */
export const CASES: Readonly<Record<string, Exchange>> = {
  ...Object.fromEntries(
    ['GET', 'HEAD', 'DELETE', 'OPTIONS', 'PATCH', 'PROPFIND', 'TRACE'].map((method) => [
      method,
      request(`${method} /echo?a=1&a=2&b=%20`, [
        'X-Many: a',
        'X-Many: b',
        'Cookie: c=1',
        'X-Request-Id: mine',
      ]),
    ]),
  ),
  'a path with escapes': request('GET /echo/%E2%82%AC%2F%zz'),
  'another case': request('GET /ECHO'),
  'a slash at the end': request('GET /echo/'),
  'slashes in front': request('GET //echo'),
  'dots in the path': request('GET /x/../echo'),
  'escaped dots in the path': request('GET /x/%2e%2e/echo'),
  'a backslash in the path': request('GET /x\\..\\echo'),
  'an absolute target': request('GET http://host.example/echo?q'),
  'no path at all': request('OPTIONS *'),
  'a host that is none': [message(['GET /echo HTTP/1.1', 'Host: a b@c/d', 'Connection: close'])],
  'HTTP/1.0': [message(['GET /echo HTTP/1.0'])],
  'an unknown path': request('GET /nobody?x'),
  'an unknown path with a body': post('/nobody', 'application/json', '{"a":1}'),
  JSON: post('/echo', 'application/json', '{"a":[1,"ü"]}'),
  'broken JSON': post('/echo', 'application/json', '{"a":'),
  'JSON, gzipped': post('/echo', 'application/json', gzipSync('{"zipped":1}'), 'Content-Encoding: gzip'),
  'a form': post('/echo', 'application/x-www-form-urlencoded', 'a=1&b=x+y'),
  text: post('/echo', 'text/plain', 'grüße'),
  'a type that is none': post('/echo', 'no type', 'x'),
  'no type': request('POST /echo', [], 'x'),
  'an empty body': request('POST /echo', ['Content-Type: application/json'], ''),
  'a multipart form': post('/upload', FORM, PART),
  'bytes, read as a stream': post('/upload', 'application/octet-stream', Buffer.alloc(70_000, 7)),
  'more bytes than we would take': post('/upload', 'application/octet-stream', Buffer.alloc(2_000_000, 7)),
  'a body in chunks': [
    message(['POST /upload HTTP/1.1', 'Host: h', 'Transfer-Encoding: chunked', 'Connection: close']),
    '3\r\n',
    'abc\r\n4\r\ndefg\r\n',
    '0\r\nX-Trailer: t\r\n\r\n',
  ],
  'Expect: 100-continue': request('POST /upload', ['Expect: 100-continue'], 'body'),
  'a body that nobody reads': post('/status/201', 'application/octet-stream', Buffer.alloc(200_000)),
  created: request('GET /status/201'),
  'no content': request('GET /status/204'),
  'not modified': request('GET /status/304'),
  'headers with several values': request('GET /headers'),
  binary: request('GET /bytes'),
  large: request('GET /large'),
  'an empty answer': request('GET /empty'),
  'a streamed answer': request('GET /streams'),
  'HEAD of a streamed answer': request('HEAD /streams'),
  'a redirect': request('GET /moved'),
  'an error': request('GET /throws'),
  'an error with a status': request('GET /throws-418'),
  'an error in mid-stream': request('GET /breaks'),
  'requests on one connection': [
    message(['GET /status/201 HTTP/1.1', 'Host: h']),
    message(
      ['POST /echo HTTP/1.1', 'Host: h', 'Content-Type: application/json', 'Content-Length: 7'],
      '{"a":1}',
    ),
    message(['GET /nobody HTTP/1.1', 'Host: h']),
    message(['GET /streams HTTP/1.1', 'Host: h', 'Connection: close']),
  ],
  'two lengths': [message(['POST /echo HTTP/1.1', 'Host: h', 'Content-Length: 1', 'Content-Length: 2'])],
  'headers without end': [message(['GET /echo HTTP/1.1', 'Host: h', `X: ${'x'.repeat(17_000)}`])],
};

/** Everything that the server says until it closes the connection, but for the time of day. */
export async function converse(port: number, exchange: Exchange): Promise<string> {
  using client = await RawClient.connect(port);
  for (const piece of exchange) client.write(piece);
  return (await client.closed()).replaceAll(/^Date: .*\r\n/gim, '');
}
