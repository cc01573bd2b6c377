import { invalidOption } from '../errors.ts';
import { invalidInput, isSchema, type Schema, validate } from '../validation/schema.ts';
import { type ContentType, contentType, unsupportedType } from './content-type.ts';
import { type FormFields, readForm } from './form.ts';
import { parseJson } from './json-text.ts';

/**
 * Turns an HTTP request into the input of a graph or a method. Either a function, or a schema that the JSON body must match.
 */
export type HttpAdapter<Input = unknown> =
  | Schema<unknown, Input>
  | ((request: Request) => Input | Promise<Input>);

/**
 * Reads the body as JSON. With a schema it returns the schema's value, typed.
 *
 * @throws ServeError 415 for another `content-type`; `SERVE_BAD_REQUEST` (400) for malformed JSON, more than 64 levels, an
 *   object of more than 10 000 keys, or a key `__proto__`; `SERVE_VALIDATION` (422) with the schema's issues
 * @example const { text } = await jsonRequest(request, z.object({ text: z.string() }));
 */
export function jsonRequest(request: Request): Promise<unknown>;
export function jsonRequest<T>(request: Request, schema: Schema<unknown, T>): Promise<T>;
export async function jsonRequest(request: Request, schema?: Schema): Promise<unknown> {
  const given = contentType(request);
  if (!/^application\/(?:[^\s/]+\+)?json$/.test(given.type) || !isUtf8(given.charset)) {
    throw unsupportedType(given, 'application/json in UTF-8');
  }
  return checked(parseJson(await request.text()), schema);
}

/**
 * Reads the body as text, in the charset that the client names. With a schema it returns the schema's value, typed.
 *
 * @throws ServeError 415 if the `content-type` is not text, or its charset is unknown; `SERVE_VALIDATION` (422)
 */
export function textRequest(request: Request): Promise<string>;
export function textRequest<T>(request: Request, schema: Schema<unknown, T>): Promise<T>;
export async function textRequest(request: Request, schema?: Schema): Promise<unknown> {
  const given = contentType(request);
  if (given.type !== '' && !given.type.startsWith('text/')) throw unsupportedType(given, 'text');
  return checked(decode(await request.arrayBuffer(), given), schema);
}

/** Reads the body as bytes, whatever its `content-type`. */
export async function bytesRequest(request: Request): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await request.arrayBuffer());
}

/**
 * Reads the fields of a form, urlencoded or multipart, as a plain object: text as a string, a file as
 * `{ name, type, bytes }`, a field that occurs more than once as a list. With a schema it returns the schema's value, typed.
 *
 * @throws ServeError 415 for another `content-type`; `SERVE_BAD_REQUEST` (400) for a malformed body, more than 1 000
 *   fields, or a field `__proto__`; `SERVE_VALIDATION` (422)
 */
export function formRequest(request: Request): Promise<FormFields>;
export function formRequest<T>(request: Request, schema: Schema<unknown, T>): Promise<T>;
export async function formRequest(request: Request, schema?: Schema): Promise<unknown> {
  return checked(await readForm(request), schema);
}

/**
 * Returns the function of an adapter. A schema becomes a call of `jsonRequest` with it.
 *
 * @param what the name of the option in an error
 * @throws ServeError `SERVE_INVALID_OPTION`
 */
export function toAdapter<Input>(
  adapter: HttpAdapter<Input>,
  what: string,
): (request: Request) => Input | Promise<Input> {
  if (isSchema(adapter)) return (request) => jsonRequest(request, adapter as Schema<unknown, Input>);
  if (typeof adapter === 'function') return (request) => adapter(request);
  throw invalidOption(what, adapter, 'a function of the request, or a schema (zod, valibot, arktype …)');
}

function checked(body: unknown, schema: Schema | undefined): unknown {
  if (schema === undefined) return body;
  return validate(schema, body, (issues) => invalidInput('the request body', issues));
}

function isUtf8(charset: string): boolean {
  return charset === 'utf-8' || charset === 'utf8' || charset === 'us-ascii';
}

function decode(bytes: ArrayBuffer, given: ContentType): string {
  try {
    return new TextDecoder(given.charset).decode(bytes);
  } catch {
    throw unsupportedType(given, 'text in a known charset, such as UTF-8');
  }
}
