import type { ServeError } from '../errors.ts';
import { badRequest } from './bad-request.ts';

/** The media type of a request and the charset of its text, both in lower case. */
export interface ContentType {
  /** `type/subtype`; empty if the request has none. */
  readonly type: string;
  readonly charset: string;
}

export function contentType(request: Request): ContentType {
  const given = request.headers.get('content-type') ?? '';
  const charset = /;\s*charset=(?:"([^"]*)"|([^;\s]+))/i.exec(given);
  return {
    type: given.split(';', 1)[0]?.trim().toLowerCase() ?? '',
    charset: (charset?.[1] ?? charset?.[2] ?? 'utf-8').toLowerCase(),
  };
}

/** Makes the error for a type that is not supported (415). @param wanted ends the sentence "it must be …" */
export function unsupportedType({ type, charset }: ContentType, wanted: string): ServeError {
  const got = type === '' ? 'none' : charset === 'utf-8' ? type : `${type}; charset=${charset}`;
  // Cut, so that a client cannot fill the logs with a long type.
  return badRequest(`content-type: got ${got.slice(0, 100)}; it must be ${wanted}`, { statusCode: 415 });
}
