import type { JsonSchema } from '../validation/json-schema.ts';

/** The form in which a result is sent: as text, as JSON, as bytes, or as 204. */
export type ResultKind = 'text' | 'json' | 'bytes' | 'nothing';

const ALL: readonly ResultKind[] = ['text', 'json', 'bytes', 'nothing'];

/**
 * The forms in which `replica/ingress/response.ts` sends values that match a schema. A schema that does not restrict the
 * form, such as the schema of a class of bytes, allows every form.
 *
 * @param root the schema that references point into
 */
export function resultKinds(
  schema: unknown,
  root: unknown = schema,
  seen: readonly unknown[] = [],
): Set<ResultKind> {
  if (typeof schema !== 'object' || schema === null || seen.includes(schema)) return new Set(ALL);
  const { $ref, const: value, enum: values, type, anyOf, oneOf, allOf, nullable } = schema as JsonSchema;
  const within = (part: unknown): Set<ResultKind> => resultKinds(part, root, [...seen, schema]);
  let kinds = new Set(ALL);
  const narrow = (parts: Iterable<ResultKind>): void => {
    const allowed = new Set(parts);
    kinds = new Set([...kinds].filter((kind) => allowed.has(kind)));
  };
  if (typeof $ref === 'string') narrow(within(lookup(root, $ref)));
  if ('const' in schema) narrow([kindOf(value)]);
  if (Array.isArray(values)) narrow(values.map(kindOf));
  if (type !== undefined) narrow([type].flat().map((name) => kindOfType(name, schema as JsonSchema)));
  for (const choice of [anyOf, oneOf])
    if (Array.isArray(choice)) narrow(choice.flatMap((part) => [...within(part)]));
  if (Array.isArray(allOf)) for (const part of allOf) narrow(within(part));
  // The keyword of OpenAPI 3.0.
  if (nullable === true) kinds.add('nothing');
  return kinds;
}

function kindOf(value: unknown): ResultKind {
  if (typeof value === 'string') return 'text';
  return value === null ? 'nothing' : 'json';
}

function kindOfType(type: unknown, schema: JsonSchema): ResultKind {
  if (type === 'null') return 'nothing';
  if (type !== 'string') return 'json';
  const isBinary = schema['contentEncoding'] === 'binary' || schema['format'] === 'binary';
  return isBinary ? 'bytes' : 'text';
}

/** Resolves a JSON pointer in a URI fragment. */
function lookup(root: unknown, reference: string): unknown {
  let at = root;
  for (const step of reference.split('/').slice(1)) {
    if (typeof at !== 'object' || at === null) return undefined;
    at = Reflect.get(at, unescapePointer(step));
  }
  return at;
}

/** Decodes one step of a JSON pointer in a URI fragment (RFC 6901, 6). Not every library percent-encodes it. */
export function unescapePointer(step: string): string {
  let text = step;
  try {
    text = decodeURIComponent(step);
  } catch {}
  return text.replaceAll('~1', '/').replaceAll('~0', '~');
}
