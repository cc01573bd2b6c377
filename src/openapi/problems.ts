import { SERVE_ERRORS, type ServeErrorCode } from '../errors.ts';

const MEDIA_TYPE = 'application/problem+json';

const issue = {
  type: 'object',
  required: ['path', 'message'],
  properties: {
    path: { type: 'array', items: { type: ['string', 'integer'] } },
    message: { type: 'string' },
  },
};

/** The body of every error: problem details as in RFC 9457. */
export const PROBLEM_SCHEMA = {
  type: 'object',
  required: ['type', 'title', 'status', 'code', 'requestId'],
  properties: {
    type: { type: 'string', format: 'uri' },
    title: { type: 'string' },
    status: { type: 'integer' },
    detail: { type: 'string' },
    code: { type: 'string', examples: ['SERVE_VALIDATION'] },
    requestId: { type: 'string' },
    issues: { type: 'array', items: issue },
  },
};

const content = { [MEDIA_TYPE]: { schema: { $ref: '#/components/schemas/Problem' } } };

function response(code: ServeErrorCode, more: object = {}) {
  return { description: SERVE_ERRORS[code].meaning, content, ...more };
}

const retryAfter = { 'Retry-After': { description: 'In seconds.', schema: { type: 'integer', minimum: 1 } } };

/** The responses that routes share, by their name under `components.responses`. */
export const PROBLEM_RESPONSES = {
  BadRequest: response('SERVE_BAD_REQUEST'),
  PayloadTooLarge: response('SERVE_PAYLOAD_TOO_LARGE'),
  UnsupportedMediaType: { description: 'The body is not of the type that the route reads.', content },
  Invalid: response('SERVE_VALIDATION'),
  InternalError: { description: 'The app failed.', content },
  Unavailable: {
    description: 'No replica can serve, or too many requests wait.',
    content,
    headers: retryAfter,
  },
  Timeout: response('SERVE_TIMEOUT'),
};

const WITH_BODY = { 400: 'BadRequest', 413: 'PayloadTooLarge' } as const;
const WITH_SCHEMA = { 415: 'UnsupportedMediaType', 422: 'Invalid' } as const;
const ALWAYS = { 500: 'InternalError', 503: 'Unavailable', 504: 'Timeout' } as const;

/** References to the errors that a route may answer with, by their status. */
export function problemsOf(route: {
  takesRequest: boolean;
  hasSchema: boolean;
}): Record<string, { $ref: string }> {
  const names = {
    ...(route.takesRequest ? WITH_BODY : {}),
    ...(route.hasSchema ? WITH_SCHEMA : {}),
    ...ALWAYS,
  };
  return Object.fromEntries(
    Object.entries(names).map(([status, name]) => [status, { $ref: `#/components/responses/${name}` }]),
  );
}
