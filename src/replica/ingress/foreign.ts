import { peek } from '../../validation/peek.ts';

/**
 * Web objects of implementations other than Node's: polyfills, older libraries and copies of undici have their own classes,
 * some without a tag that identifies them.
 */

/** Whether a value is a `Response` of any implementation. */
export function isResponse(value: object): value is Response {
  if (peek(value, Symbol.toStringTag) === 'Response') return true;
  const status: unknown = peek(value, 'status');
  if (typeof status !== 'number') return false;
  const headers: unknown = peek(value, 'headers');
  const hasHeaders = typeof headers === 'object' && headers !== null && isMethod(headers, 'forEach');
  return hasHeaders && isMethod(value, 'arrayBuffer') && isMethod(value, 'text');
}

/** Names in lower case, and values. */
export function headersOf({ headers }: Response): Iterable<[string, string]> {
  const raw: unknown = peek(headers, 'raw');
  // node-fetch 2 joins cookies, which cannot be taken apart again.
  if (typeof raw === 'function') {
    const lists = Object.entries(raw.call(headers) as Record<string, string[]>);
    return lists.flatMap(([name, values]) =>
      values.map((value): [string, string] => [name.toLowerCase(), value]),
    );
  }
  if (Symbol.iterator in headers) return headers;
  const pairs: [string, string][] = [];
  (headers as Headers).forEach((value, name) => void pairs.push([name.toLowerCase(), value]));
  return pairs;
}

/** Converts a body to Node's own classes; `Response` would write a foreign one as `[object Blob]`. */
export async function nativeBody(value: object): Promise<Blob | FormData | URLSearchParams> {
  switch (peek(value, Symbol.toStringTag)) {
    case 'FormData':
      return value instanceof FormData ? value : nativeForm(value as FormData);
    case 'URLSearchParams':
      return value instanceof URLSearchParams ? value : new URLSearchParams(String(value));
    default:
      return value instanceof Blob ? value : nativeBlob(value as Blob);
  }
}

async function nativeForm(foreign: Iterable<[string, string | File]>): Promise<FormData> {
  const form = new FormData();
  for (const [name, value] of foreign) {
    if (typeof value === 'string') form.append(name, value);
    else form.append(name, await nativeBlob(value), value.name);
  }
  return form;
}

async function nativeBlob(foreign: Blob): Promise<Blob> {
  return new Blob([await foreign.arrayBuffer()], { type: foreign.type });
}

function isMethod(value: object, name: string): boolean {
  return typeof peek(value, name) === 'function';
}
