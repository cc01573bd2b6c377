import { SERVE_ERRORS, ServeError, type ValidationIssue } from '../../errors.ts';
import { isInstance, peek } from '../../validation/peek.ts';
import { describe, messageOf } from '../../values/describe-value.ts';
import type { HttpResponse } from '../exchange.ts';
import { Refusal, type RefusalHeaders } from './refusal.ts';

/** The part of an error that a client may see. */
export interface Problem {
  readonly status: number;
  readonly code: string;
  readonly title: string;
  /** Whether the title is the error's own message. */
  readonly isExposed: boolean;
  readonly retryAfterMs: number | undefined;
  /** The fault of the request, in words that the client may see. */
  readonly detail?: string | undefined;
  readonly issues?: readonly ValidationIssue[] | undefined;
  /** Headers that HTTP requires for the status. */
  readonly headers?: RefusalHeaders | undefined;
  /** Whether the error is the fault of the app, so that it is logged in full. */
  readonly isUnexpected: boolean;
}

const INTERNAL: Problem = {
  status: 500,
  code: 'INTERNAL_SERVER_ERROR',
  title: 'Internal Server Error',
  isExposed: false,
  retryAfterMs: undefined,
  isUnexpected: true,
};

/**
 * Turns anything that was thrown into a problem. User errors show their status and message only if they have `statusCode` and
 * `expose: true`; all others become 500 without detail.
 */
export function toProblem(error: unknown): Problem {
  if (error instanceof ServeError) {
    const { code, statusCode, retryAfterMs } = error;
    // The client is still there, so the cancellation comes from a child call whose error user code did not handle.
    if (code === 'SERVE_CANCELLED') return INTERNAL;
    const { title } = SERVE_ERRORS[code];
    const isExposed = statusCode < 500;
    return {
      status: statusCode,
      code,
      title,
      isExposed,
      detail: isExposed ? error.detail : undefined,
      issues: isExposed ? error.issues : undefined,
      retryAfterMs,
      isUnexpected: statusCode === 500,
    };
  }
  const exposed = isInstance(error, Error) ? exposedStatus(error) : undefined;
  if (exposed === undefined) return INTERNAL;
  const code = peek(error, 'code');
  return {
    status: exposed,
    code: typeof code === 'string' && /^[A-Za-z0-9_.-]{1,64}$/.test(code) ? code : 'ERROR',
    title: messageOf(error),
    isExposed: true,
    retryAfterMs: undefined,
    headers: error instanceof Refusal ? error.headers : undefined,
    isUnexpected: exposed >= 500 && !(error instanceof Refusal),
  };
}

function exposedStatus(error: Error): number | undefined {
  const status = peek(error, 'statusCode');
  if (peek(error, 'expose') !== true || typeof status !== 'number') return undefined;
  return Number.isInteger(status) && status >= 400 && status <= 599 ? status : undefined;
}

/** Adds the properties that frameworks read from errors: `statusCode` and `status`, `expose`, `code` and `headers`. */
export function toFrameworkError(error: unknown, problem: Problem): Error {
  const { status, code, isExposed, retryAfterMs } = problem;
  const thrown: Error & { code?: unknown } = isInstance(error, Error) ? error : new Error(describe(error));
  const headers = retryAfterMs === undefined ? {} : { headers: { 'retry-after': retryAfter(retryAfterMs) } };
  return Object.assign(thrown, {
    status,
    statusCode: status,
    expose: isExposed,
    code: thrown.code ?? code,
    ...headers,
  });
}

/** Answers with problem details (RFC 9457) instead of the answer that was being prepared. */
export function sendProblem(res: HttpResponse, problem: Problem, requestId: string): void {
  prepareProblem(res, problem, requestId, (body) => res.end(body));
}

/** Prepares the response. @param send sends the body, which is the only part that is left */
export function prepareProblem(
  res: HttpResponse,
  problem: Problem,
  requestId: string,
  send: (body: string) => void,
): void {
  const { status, code, title, detail, issues, retryAfterMs, headers = {} } = problem;
  const type = `urn:inserve:error:${code}`;
  const body = JSON.stringify({ type, title, status, detail, code, requestId, issues });
  for (const name of res.getHeaderNames()) {
    if (name.startsWith('content-') && name !== 'content-security-policy') res.removeHeader(name);
  }
  res.statusCode = status;
  res.setHeader('x-request-id', requestId);
  res.setHeader('content-type', 'application/problem+json; charset=utf-8');
  res.setHeader('content-length', Buffer.byteLength(body));
  res.setHeader('cache-control', 'no-store');
  if (retryAfterMs !== undefined) res.setHeader('retry-after', retryAfter(retryAfterMs));
  for (const [name, value] of Object.entries(headers)) res.setHeader(name, value);
  send(body);
}

/** The value of `Retry-After`: whole seconds, at least one. */
function retryAfter(ms: number): string {
  return String(Math.max(1, Math.ceil(ms / 1_000)));
}
