import { badRequest } from './bad-request.ts';
import { contentType, unsupportedType } from './content-type.ts';

/** A file of a multipart form. */
export interface FormFile {
  readonly name: string;
  /** The media type that the client gave; empty if it gave none. */
  readonly type: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** One field of a form: a text, or a file. */
export type FormField = string | FormFile;

/** The fields of a form by name; a repeated field is a list. */
export type FormFields = Record<string, FormField | FormField[]>;

/** The most fields of a form, as in body parsers for Express. */
const MAX_FIELDS = 1_000;

const FORM_TYPES = ['application/x-www-form-urlencoded', 'multipart/form-data'];

export async function readForm(request: Request): Promise<FormFields> {
  const given = contentType(request);
  if (!FORM_TYPES.includes(given.type)) throw unsupportedType(given, FORM_TYPES.join(' or '));
  const entries = [...(await formData(request))];
  if (entries.length > MAX_FIELDS) throw badRequest(`the form has more than ${MAX_FIELDS} fields`);
  const fields: FormFields = {};
  for (const [name, value] of entries) {
    if (name === '__proto__') throw badRequest(`the form has a field '__proto__', which is not allowed`);
    const field = typeof value === 'string' ? value : await toFile(value);
    const known = Object.hasOwn(fields, name) ? fields[name] : undefined;
    if (known === undefined) fields[name] = field;
    else if (Array.isArray(known)) known.push(field);
    else fields[name] = [known, field];
  }
  return fields;
}

async function formData(request: Request): Promise<FormData> {
  if (request.bodyUsed) return request.formData();
  try {
    return await request.formData();
  } catch (cause) {
    // undici throws a TypeError for a body that is not a form. Any other error says why the body could not be read.
    throw cause instanceof TypeError ? badRequest('the body is not valid form data', { cause }) : cause;
  }
}

async function toFile(file: File): Promise<FormFile> {
  return { name: file.name, type: file.type, bytes: new Uint8Array(await file.arrayBuffer()) };
}
