import { SERVE_ERRORS, type ServeErrorCode } from '../errors.ts';

const MEDIA_TYPE = 'application/problem+json';

const issue = {
  type: 'object',
  required: ['path', 'message'],
  properties: {
    path: { type: 'array', items: { oneOf: [{ type: 'string' }, { type: 'integer' }] } },
    message: { type: 'string' },
  },
};

/** The body of every error: problem details of RFC 9457. It uses only keywords that OpenAPI 3.0 has as well. */
const PROBLEM_SCHEMA = {
  type: 'object',
  required: ['type', 'title', 'status', 'code', 'requestId'],
  properties: {
    type: { type: 'string', format: 'uri' },
    title: { type: 'string' },
    status: { type: 'integer' },
    detail: { type: 'string' },
    code: { type: 'string', description: 'For programs, such as SERVE_VALIDATION.' },
    requestId: { type: 'string' },
    issues: { type: 'array', items: issue },
  },
};

const retryAfter = { 'Retry-After': { description: 'In seconds.', schema: { type: 'integer', minimum: 1 } } };

/** The responses that routes share, by name, without their body. */
const RESPONSES = {
  BadRequest: meaningOf('SERVE_BAD_REQUEST'),
  PayloadTooLarge: meaningOf('SERVE_PAYLOAD_TOO_LARGE'),
  UnsupportedMediaType: { description: 'The body is not of the type that the route reads.' },
  Invalid: meaningOf('SERVE_VALIDATION'),
  InternalError: { description: 'The app failed.' },
  Unavailable: {
    description: 'No replica can serve, or too many requests wait.',
    headers: retryAfter,
  },
  Timeout: meaningOf('SERVE_TIMEOUT'),
};

type ResponseName = keyof typeof RESPONSES;

const WITH_BODY = { 400: 'BadRequest', 413: 'PayloadTooLarge' } as const;
const WITH_JSON = { 415: 'UnsupportedMediaType' } as const;
const WITH_SCHEMA = { 422: 'Invalid' } as const;
const ALWAYS = { 500: 'InternalError', 503: 'Unavailable', 504: 'Timeout' } as const;

/** The component names of a document that are in use. */
export interface TakenNames {
  readonly schemas: readonly string[];
  readonly responses: readonly string[];
}

/** The errors that routes answer with, as components under unique names. */
export class Problems {
  readonly schemas: Readonly<Record<string, object>>;
  readonly responses: Readonly<Record<string, object>>;
  readonly #names = new Map<string, string>();

  constructor(taken: TakenNames) {
    const schema = freeName('Problem', taken.schemas);
    this.schemas = { [schema]: PROBLEM_SCHEMA };
    const content = { [MEDIA_TYPE]: { schema: { $ref: `#/components/schemas/${schema}` } } };
    const responses: Record<string, object> = {};
    for (const [name, about] of Object.entries(RESPONSES)) {
      const free = freeName(name, taken.responses);
      this.#names.set(name, free);
      responses[free] = { ...about, content };
    }
    this.responses = responses;
  }

  /** References to the errors that a route may answer with, by status. */
  of(route: {
    takesRequest: boolean;
    takesJson: boolean;
    hasSchema: boolean;
  }): Record<string, { $ref: string }> {
    const names: Record<string, ResponseName> = {
      ...(route.takesRequest ? WITH_BODY : {}),
      ...(route.takesJson ? WITH_JSON : {}),
      ...(route.hasSchema ? WITH_SCHEMA : {}),
      ...ALWAYS,
    };
    return Object.fromEntries(
      Object.entries(names).map(([status, name]) => [
        status,
        { $ref: `#/components/responses/${this.#names.get(name)}` },
      ]),
    );
  }
}

function meaningOf(code: ServeErrorCode): { readonly description: string } {
  return { description: SERVE_ERRORS[code].meaning };
}

/** The name, with a number appended if it is taken. */
export function freeName(name: string, taken: readonly string[]): string {
  let free = name;
  for (let suffix = 1; taken.includes(free); suffix++) free = `${name}_${suffix}`;
  return free;
}
