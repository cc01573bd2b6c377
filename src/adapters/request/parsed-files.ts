import { createReadStream } from 'node:fs';
import { ServeError } from '../../errors.ts';

/** A file as a multipart parser of the host has stored it. */
export interface ParsedFile {
  readonly field: string;
  readonly filename: string;
  readonly type: string;
  /** Returns its bytes in chunks. */
  content(): AsyncIterable<Uint8Array> | Iterable<Uint8Array>;
}

/** The size of the pieces in which large contents are sent, so that a slow reader holds only some of them. */
const CHUNK_BYTES = 65_536;

/**
 * A file with the property names of its parser: multer (`originalname`, `buffer` or `path`), formidable (`originalFilename`,
 * `filepath`), express-fileupload (`name`, `data` or `tempFilePath`), @fastify/multipart (`filename`, `toBuffer()`).
 */
type Stored = Readonly<Record<string, unknown>>;

/** The files in `req.file`, `req.files` and the like: one, a list, or lists by the names of their fields. */
export function* filesIn(value: unknown, field = 'file'): Generator<ParsedFile> {
  if (typeof value !== 'object' || value === null) return;
  if (isFile(value)) yield toFile(value, field);
  else if (Array.isArray(value)) for (const item of value) yield* filesIn(item, field);
  else for (const [name, item] of Object.entries(value)) yield* filesIn(item, name);
}

/** Whether a part of a parsed form is a file. */
export function isFile(value: object): boolean {
  if (value instanceof Uint8Array) return true;
  const { originalname, originalFilename, tempFilePath, toBuffer } = value as Stored;
  return [originalname, originalFilename, tempFilePath, toBuffer].some((member) => member !== undefined);
}

/** @throws ServeError `SERVE_NOT_SERIALIZABLE` for a file that is neither in memory nor on disk */
export function toFile(value: object, fallback: string): ParsedFile {
  if (value instanceof Uint8Array) {
    return {
      field: fallback,
      filename: fallback,
      type: 'application/octet-stream',
      content: () => pieces(value),
    };
  }
  const { fieldname, originalname, originalFilename, filename, name, mimetype, type } = value as Stored;
  const field = textOf(fieldname) ?? fallback;
  const about = {
    field,
    filename: [originalname, originalFilename, filename, name].map(textOf).find(Boolean) ?? field,
    type: textOf(mimetype) ?? textOf(type) ?? 'application/octet-stream',
  };
  return { ...about, content: contentOf(value as Stored, about) };
}

function contentOf(
  stored: Stored,
  { field, filename }: { readonly field: string; readonly filename: string },
): ParsedFile['content'] {
  const { buffer, data, path, filepath, tempFilePath, toBuffer } = stored;
  const file = [path, filepath, tempFilePath].map(textOf).find(Boolean);
  const bytes = [buffer, data].find((held): held is Uint8Array => held instanceof Uint8Array);
  // express-fileupload sets an empty buffer beside a temporary file.
  if (bytes !== undefined && (bytes.byteLength > 0 || file === undefined)) return () => pieces(bytes);
  if (file !== undefined) return () => createReadStream(file);
  if (typeof toBuffer === 'function') {
    return async function* () {
      yield* pieces((await toBuffer.call(stored)) as Uint8Array);
    };
  }
  throw new ServeError(
    'SERVE_NOT_SERIALIZABLE',
    `the multipart parser in front has stored file '${filename}' of field '${field}' neither in memory nor on disk: mount the app in front of the parser, use its memory or disk storage, or pass the data that the app needs in \`locals\``,
  );
}

function* pieces(bytes: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < bytes.byteLength; at += CHUNK_BYTES) yield bytes.subarray(at, at + CHUNK_BYTES);
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
