import {
  type FlatHeaders,
  type PackedRequest,
  type RequestEnvelope,
  unflatten,
  unpackRequest,
} from '../../channel/http-envelope.ts';
import { parseJson } from '../../input/json-text.ts';
import { isHopByHop } from './hop-by-hop.ts';
import { quiet, readForm } from './reading.ts';
import { normalizeUrl } from './request-url.ts';
import type { UploadBody } from './upload-body.ts';
import { defineWholeRequest } from './whole-request.ts';

/** The part of a call that its request needs. */
export interface RequestSource {
  readonly signal: AbortSignal;
}

type RequestFactory = (
  packed: PackedRequest,
  upload: UploadBody | undefined,
  source: RequestSource,
  isWhole: boolean,
) => Request;

let factory: RequestFactory | undefined;
let isOwnThread = false;

/** @internal Adapts the globals of a replica's thread. Those of the host's thread are never changed. */
export function adaptGlobals(): void {
  isOwnThread = true;
}

/**
 * A WHATWG `Request` whose parts are made on first use. undici's own object is built only if user code needs a member that is
 * missing here, because building it for every request halves the throughput of an Express app (0.53–0.77).
 *
 * @param isWhole user code may make other requests of it: on the host's thread it gets undici's own
 */
export function createRequest(
  packed: PackedRequest,
  upload: UploadBody | undefined,
  source: RequestSource,
  isWhole: boolean,
): Request {
  // Made at the first request: touching the global `Request` loads undici.
  factory ??= defineFacade();
  return factory(packed, upload, source, isWhole && !isOwnThread);
}

/** The headers without those of the client's connection, which `fetch(request)` would refuse to send on. */
function toHeaders(flat: FlatHeaders): Headers {
  const pairs = unflatten(flat);
  const headers = new Headers();
  for (let index = 0; index + 1 < pairs.length; index += 2) {
    const name = pairs[index] as string;
    if (!isHopByHop(name)) headers.append(name, pairs[index + 1] as string);
  }
  return headers;
}

/** Members that only undici's own object has. */
const DELEGATED = [
  'cache',
  'credentials',
  'destination',
  'duplex',
  'integrity',
  'isHistoryNavigation',
  'isReloadNavigation',
  'keepalive',
  'mode',
  'redirect',
  'referrer',
  'referrerPolicy',
] as const;

function defineFacade(): RequestFactory {
  const NativeRequest = globalThis.Request;

  const WholeRequest = defineWholeRequest(NativeRequest);

  class RequestFacade {
    #packed: PackedRequest;
    readonly #upload: UploadBody | undefined;
    readonly #source: RequestSource;
    #url: string | undefined = undefined;
    #headers: Headers | undefined = undefined;
    #native: Request | undefined;
    /** Whether the body was read here instead of by undici's object. */
    #isUsed = false;

    constructor(
      packed: PackedRequest,
      upload: UploadBody | undefined,
      source: RequestSource,
      native?: Request,
    ) {
      this.#packed = packed;
      this.#upload = upload;
      this.#source = source;
      this.#native = native;
    }

    get #envelope(): RequestEnvelope {
      if (typeof this.#packed === 'string') this.#packed = unpackRequest(this.#packed);
      return this.#packed;
    }

    get method(): string {
      return this.#envelope[0];
    }

    get url(): string {
      this.#url ??= normalizeUrl(this.#envelope[1]);
      return this.#url;
    }

    get headers(): Headers {
      this.#headers ??= this.#native?.headers ?? toHeaders(this.#envelope[2]);
      return this.#headers;
    }

    get signal(): AbortSignal {
      return this.#source.signal;
    }

    get bodyUsed(): boolean {
      return this.#isUsed || this.#native?.bodyUsed === true;
    }

    get body(): ReadableStream | null {
      return this.native.body;
    }

    /** undici's request with the same content. From then on it owns the body. */
    get native(): Request {
      this.#native ??= this.#build();
      return this.#native;
    }

    text(): Promise<string> {
      return quiet(this.#text());
    }

    json(): Promise<unknown> {
      return quiet(this.#json());
    }

    bytes(): Promise<Uint8Array> {
      return quiet(this.#bytes());
    }

    arrayBuffer(): Promise<ArrayBuffer> {
      return quiet(this.#arrayBuffer());
    }

    blob(): Promise<Blob> {
      return quiet(this.native.blob());
    }

    formData(): Promise<FormData> {
      return quiet(readForm(this, () => this.native.formData()));
    }

    clone(): Request {
      return new RequestFacade(
        this.#packed,
        undefined,
        this.#source,
        this.native.clone(),
      ) as unknown as Request;
    }

    async #text(): Promise<string> {
      if (this.#native !== undefined) return this.#native.text();
      const body = await this.#read();
      return typeof body === 'string' ? body : new TextDecoder().decode(body);
    }

    async #json(): Promise<unknown> {
      return parseJson(await this.#text());
    }

    async #bytes(): Promise<Uint8Array> {
      if (this.#native !== undefined) return new Uint8Array(await this.#native.arrayBuffer());
      const body = await this.#read();
      return typeof body === 'string' ? new TextEncoder().encode(body) : body;
    }

    async #arrayBuffer(): Promise<ArrayBuffer> {
      const bytes = await this.#bytes();
      const isWhole = bytes.byteLength === bytes.buffer.byteLength;
      return (isWhole ? bytes.buffer : bytes.slice().buffer) as ArrayBuffer;
    }

    /** Reads the body once. */
    async #read(): Promise<Uint8Array | string> {
      if (this.#isUsed) throw new TypeError('Body is unusable: Body has already been read');
      const body = this.#envelope[3];
      if (this.#upload === undefined && body === undefined) return '';
      this.#isUsed = true;
      return this.#upload?.bytes() ?? body ?? '';
    }

    /** Builds undici's request that takes the place of this one. */
    get whole(): Request {
      return this.#build(WholeRequest);
    }

    #build(made: Function = NativeRequest): Request {
      const [method] = this.#envelope;
      const body = this.#takeBody(method);
      const init = {
        method,
        headers: this.headers,
        signal: this.#source.signal,
        ...(body === undefined ? {} : { body, duplex: 'half' }),
      };
      const native: Request = Reflect.construct(NativeRequest, [this.url, init], made);
      // The body was read before undici's request was made.
      if (this.#isUsed) void native.text();
      return native;
    }

    #takeBody(method: string): ReadableStream | Uint8Array<ArrayBuffer> | string | undefined {
      // HTTP allows a body for these methods, but `Request` does not.
      if (method === 'GET' || method === 'HEAD') return undefined;
      if (this.#isUsed) return '';
      return this.#upload?.stream() ?? (this.#envelope[3] as Uint8Array<ArrayBuffer> | string | undefined);
    }
  }

  for (const name of DELEGATED) {
    Object.defineProperty(RequestFacade.prototype, name, {
      get(this: RequestFacade): unknown {
        return Reflect.get(this.native, name);
      },
    });
  }
  // `instanceof Request` holds, as in Hono's node-server.
  Object.setPrototypeOf(RequestFacade.prototype, NativeRequest.prototype);
  if (isOwnThread) acceptFacades((value) => (value instanceof RequestFacade ? value.native : value));
  return (packed, upload, source, isWhole) => {
    const facade = new RequestFacade(packed, upload, source);
    return isWhole ? facade.whole : (facade as unknown as Request);
  };
}

/**
 * undici tells its own requests by a private brand. In a replica's thread, which is ours, `new Request(request)` and
 * `fetch(request)` unwrap a facade first; middleware of fetch-style routers does both.
 */
function acceptFacades(unwrap: (value: unknown) => unknown): void {
  const { Request: NativeRequest, fetch: nativeFetch } = globalThis;
  globalThis.Request = new Proxy(NativeRequest, {
    construct: (target, [input, ...rest], newTarget) =>
      Reflect.construct(target, [unwrap(input), ...rest], newTarget),
  });
  globalThis.fetch = (input, init) => nativeFetch(unwrap(input) as string | URL | Request, init);
}
