import { SERVE_ERRORS, ServeError, type ValidationIssue } from '../../errors.ts';
import { isInstance, peek } from '../../validation/peek.ts';
import { describe, messageOf } from '../../values/describe-value.ts';
import type { HttpResponse } from '../exchange.ts';
import { Refusal, type RefusalHeaders } from './refusal.ts';

/** What a client may know of an error. */
export interface Problem {
  readonly status: number;
  readonly code: string;
  readonly title: string;
  /** Whether the title is the error's own message. */
  readonly isExposed: boolean;
  readonly retryAfterMs: number | undefined;
  /** What is wrong with the request, as far as the client may know. */
  readonly detail?: string | undefined;
  readonly issues?: readonly ValidationIssue[] | undefined;
  /** What HTTP demands beside the status. */
  readonly headers?: RefusalHeaders | undefined;
  /** Whether the error is the app's own fault, and belongs in the log in full. */
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
 * The row of the error table for anything that was thrown. User errors show their status and message only if they say so
 * themselves (`statusCode` and `expose: true`); all others are 500 without detail.
 */
export function toProblem(error: unknown): Problem {
  if (error instanceof ServeError) {
    const { code, statusCode, retryAfterMs } = error;
    // The client is there, so it was not the client who cancelled: user code let a cancelled child call through.
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

/** The error as frameworks expect it: they look for `statusCode` or `status`, `expose`, `code` and `headers`. */
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

/** Answers with problem details (RFC 9457), in place of whatever was being prepared. */
export function sendProblem(res: HttpResponse, problem: Problem, requestId: string): void {
  prepareProblem(res, problem, requestId, (body) => res.end(body));
}

/** @param send is given the body; everything else of the response is set */
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

/** In seconds, at least one. */
function retryAfter(ms: number): string {
  return String(Math.max(1, Math.ceil(ms / 1_000)));
}
