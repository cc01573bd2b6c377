import { isUtf8 } from 'node:buffer';
import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import type { HostContext } from '../exchange.ts';
import { formEntries } from './form-fields.ts';
import { filesIn, isFile, type ParsedFile, toFile } from './parsed-files.ts';

/** A form that a multipart parser of the host has read, encoded again. */
export interface ParsedForm {
  readonly type: string;
  readonly source: Readable;
}

type Part = readonly [name: string, value: string] | ParsedFile;

/**
 * Encodes the form whose fields are in `body` and whose files are in `file` and `files` of the request, or of Koa's request.
 * Returns undefined if no parser has read it, or the parser kept nothing.
 *
 * @throws ServeError `SERVE_NOT_SERIALIZABLE` for a file that cannot be read again
 */
export function parsedForm(
  req: IncomingMessage,
  body: unknown,
  context: HostContext,
): ParsedForm | undefined {
  if (!req.readableEnded || !/^multipart\/form-data\b/i.test(req.headers['content-type'] ?? ''))
    return undefined;
  // A body that was read as text or bytes was not parsed as a form.
  if (typeof body === 'string' || body instanceof Uint8Array) return undefined;
  const request: unknown = Reflect.get(context, 'request');
  const holders = typeof request === 'object' && request !== null ? [request, req] : [req];
  const stored = holders.flatMap((holder) => [Reflect.get(holder, 'file'), Reflect.get(holder, 'files')]);
  const parts: Part[] = [...fieldsOf(body), ...[...new Set(stored)].flatMap((kept) => [...filesIn(kept)])];
  if (parts.length === 0) return undefined;
  const boundary = `inserve-${randomUUID()}`;
  return {
    type: `multipart/form-data; boundary=${boundary}`,
    source: Readable.from(written(parts, boundary), { objectMode: false }),
  };
}

function* fieldsOf(body: unknown): Generator<Part> {
  if (typeof body !== 'object' || body === null) return;
  for (const [name, value] of formEntries(body, isPart)) {
    if (typeof value !== 'object' || value === null) yield [name, String(value)];
    else yield isFile(value) ? toFile(value, name) : [name, String(Reflect.get(value, 'value'))];
  }
}

/** The value of a field. @fastify/multipart turns each field into an object that contains all others. */
function isPart(value: object): boolean {
  return isFile(value) || (Reflect.get(value, 'type') === 'field' && 'fieldname' in value);
}

async function* written(parts: readonly Part[], boundary: string): AsyncGenerator<Uint8Array> {
  for (const part of parts) {
    if ('content' in part) {
      const { field, filename, type } = part;
      const head = [disposition(field, filename), Buffer.from(`\r\ncontent-type: ${line(type)}\r\n\r\n`)];
      yield Buffer.concat([Buffer.from(`--${boundary}\r\n`), ...head]);
      yield* part.content();
    } else {
      const [name, value] = part;
      yield Buffer.concat([
        Buffer.from(`--${boundary}\r\n`),
        disposition(name, undefined),
        Buffer.from(`\r\n\r\n${value}`),
      ]);
    }
    yield Buffer.from('\r\n');
  }
  yield Buffer.from(`--${boundary}--\r\n`);
}

function disposition(name: string, filename: string | undefined): Uint8Array {
  const parameters = [Buffer.from('content-disposition: form-data; name='), quoted(name)];
  if (filename !== undefined) parameters.push(Buffer.from('; filename='), quoted(filename));
  return Buffer.concat(parameters);
}

/**
 * Quotes a name as browsers do. By default Busboy, on which most parsers build, reads the UTF-8 of names as latin1
 * (expressjs/multer#1104); such a name is written with the bytes that it was read from.
 */
function quoted(name: string): Buffer {
  const escaped = name.replaceAll('\r', '%0D').replaceAll('\n', '%0A').replaceAll('"', '%22');
  const bytes = Buffer.from(escaped, 'latin1');
  const isMisread = bytes.toString('latin1') === escaped && isUtf8(bytes);
  return Buffer.concat([Buffer.from('"'), isMisread ? bytes : Buffer.from(escaped), Buffer.from('"')]);
}

/** Removes line breaks from a header value, which the host may have changed after the parser checked it. */
function line(text: string): string {
  return text.replaceAll(/[\r\n]/g, ' ');
}
