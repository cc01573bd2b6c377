import type { DeploymentHandle, DeploymentResponse } from '../../../src/index.ts';

/** The methods that are called, all of them by a token. */
export interface MarkedWork {
  short(token: string): Promise<string>;
  long(token: string): Promise<string>;
  large(token: string, bytes: Uint8Array): Promise<string>;
  stream(token: string): AsyncGenerator<number>;
  keyed(token: string): Promise<string>;
  again(token: string): Promise<string>;
  largeAgain(token: string, bytes: Uint8Array): Promise<string>;
}

/** Kinds of calls; those named `…Again` may run more than once. */
export const MARKED_KINDS = [
  'short',
  'long',
  'large',
  'stream',
  'keyed',
  'again',
  'largeAgain',
  'upload',
] as const;
export type MarkedKind = (typeof MARKED_KINDS)[number];

/** Time limit of each call, in ms, which none comes near. */
const LIMIT_MS = 40_000;
const LARGE_BYTES = 1_048_576;
const CHUNKS = 20;

export function mayRepeat(kind: MarkedKind): boolean {
  return kind === 'again' || kind === 'largeAgain';
}

export interface MarkedFailure {
  readonly name: string;
  readonly code: string | undefined;
  readonly message: string;
  readonly retryable: boolean | undefined;
  readonly cause: string | undefined;
}

/** What became of a call. */
export interface MarkedOutcome {
  readonly kind: MarkedKind;
  readonly token: string;
  readonly ms: number;
  readonly attempts: number | undefined;
  readonly failure: MarkedFailure | undefined;
}

/** Makes one call by a handle. */
export async function makeMarked(
  handle: DeploymentHandle<MarkedWork>,
  kind: MarkedKind,
  token: string,
): Promise<MarkedOutcome> {
  const startedAt = performance.now();
  const limited = handle.options({ timeoutMs: LIMIT_MS });
  let call: DeploymentResponse<unknown> | undefined;
  let failure: MarkedFailure | undefined;
  try {
    if (kind === 'stream') {
      const stream = limited.stream.remote(token);
      let next = 0;
      for await (const at of stream)
        if (at !== next++) throw new Error(`${token}: chunk ${at} came out of order`);
      if (next !== CHUNKS) throw new Error(`${token}: the stream ended after ${next} chunks`);
    } else {
      call = unary(limited, kind, token);
      const answer = await call;
      const expected = kind === 'large' || kind === 'largeAgain' ? `${token} ${LARGE_BYTES}` : token;
      if (answer !== expected) throw new Error(`${token}: got ${String(answer)}`);
    }
  } catch (error) {
    failure = failureOf(error);
  }
  return { kind, token, ms: performance.now() - startedAt, attempts: call?.explain().attempts, failure };
}

function unary(
  handle: DeploymentHandle<MarkedWork>,
  kind: Exclude<MarkedKind, 'stream'>,
  token: string,
): DeploymentResponse<unknown> {
  switch (kind) {
    case 'large':
    case 'largeAgain':
      return handle[kind].remote(token, new Uint8Array(LARGE_BYTES));
    case 'keyed':
      return handle.options({ idempotencyKey: token }).keyed.remote(token);
    case 'upload':
      throw new TypeError('a body is uploaded over HTTP');
    default:
      return handle[kind].remote(token);
  }
}

/** Uploads a body in pieces over HTTP. */
export async function uploadMarked(url: string, token: string): Promise<MarkedOutcome> {
  const startedAt = performance.now();
  let failure: MarkedFailure | undefined;
  const pieces = async function* (): AsyncGenerator<Uint8Array> {
    for (let piece = 0; piece < 4; piece++) {
      yield new Uint8Array(50_000);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  };
  try {
    const body = ReadableStream.from(pieces());
    const response = await fetch(`${url}?token=${token}`, { method: 'POST', body, duplex: 'half' });
    const text = await response.text();
    if (response.status !== 200) {
      const { code, title, detail } = JSON.parse(text) as Record<string, string>;
      failure = {
        name: 'HTTP',
        code,
        message: detail ?? title ?? '',
        retryable: undefined,
        cause: undefined,
      };
    } else if (text !== `${token} 200000`) throw new Error(`${token}: got ${text}`);
  } catch (error) {
    failure = failureOf(error);
  }
  return { kind: 'upload', token, ms: performance.now() - startedAt, attempts: undefined, failure };
}

function failureOf(error: unknown): MarkedFailure {
  if (!(error instanceof Error))
    return {
      name: typeof error,
      code: undefined,
      message: String(error),
      retryable: undefined,
      cause: undefined,
    };
  const { code, retryable } = error as Error & { code?: string; retryable?: boolean };
  return { name: error.name, code, message: error.message, retryable, cause: causeOf(error) };
}

function causeOf({ cause }: Error): string | undefined {
  if (cause === undefined) return undefined;
  return cause instanceof Error ? `${cause.name}: ${cause.message}` : String(cause);
}
