import { isInstance, peek } from '../validation/peek.ts';
import { MARK, PORTABLE, type Portable } from './marks.ts';

/** A WHATWG request as plain data. */
export interface RequestData {
  method: string;
  url: string;
  headers: Array<[string, string]>;
  body: ArrayBuffer | undefined;
}

/** Checks the name first, because touching the global `Request` loads undici. */
export function isRequest(value: unknown): value is Request {
  return peek(value, Symbol.toStringTag) === 'Request' && isInstance(value, Request);
}

/** A request whose body was read, ready to cross to another thread as a whole argument. */
export class PortableRequest implements Portable {
  readonly #data: RequestData;

  private constructor(data: RequestData) {
    this.#data = data;
  }

  static async from(request: Request): Promise<PortableRequest> {
    const hasBody = request.method !== 'GET' && request.method !== 'HEAD';
    return new PortableRequest({
      method: request.method,
      url: request.url,
      headers: [...request.headers],
      body: hasBody ? await request.arrayBuffer() : undefined,
    });
  }

  [PORTABLE](): ReturnType<Portable[typeof PORTABLE]> {
    return { kind: MARK.request, data: this.#data, bytes: this.#data.body?.byteLength ?? 0 };
  }
}

export function decodeRequest({ method, url, headers, body }: RequestData): Request {
  return new Request(url, { method, headers, ...(body === undefined ? {} : { body }) });
}
