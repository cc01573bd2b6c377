import type { JsonSchema } from '../validation/json-schema.ts';
import { freeName } from './problems.ts';
import { unescapePointer } from './result-kinds.ts';

/** Keywords whose value is data, in which `$ref` is an ordinary key. */
const DATA = new Set(['const', 'enum', 'default', 'examples', 'example']);

/** Keywords whose value maps names, such as those of properties, to schemas. */
const NAMED = new Set(['properties', 'patternProperties', 'dependentSchemas', '$defs', 'definitions']);

/** Collects the schemas of a document under unique names, with references that are valid anywhere in the document. */
export class Components {
  readonly schemas: Record<string, unknown> = {};
  readonly #taken: string[];

  /** @param taken the names that are already in use */
  constructor(taken: readonly string[]) {
    this.#taken = [...taken];
  }

  /**
   * Adds a schema. Its definitions become further components, and its references are changed to point there.
   *
   * @returns a reference to the schema
   */
  add(name: string, schema: JsonSchema): JsonSchema {
    // An `$id` would change the base that references are resolved against.
    const { $schema: _1, $id: _2, $defs = {}, definitions = {}, ...root } = schema;
    const parts = Object.entries({ ...(definitions as JsonSchema), ...($defs as JsonSchema) });
    const own = this.#reserve(name);
    const names = new Map(parts.map(([key]) => [key, this.#reserve(`${own}.${key}`)]));
    const relocate = (reference: string): string => relocated(reference, own, names);
    this.schemas[own] = withReferences(root, relocate);
    for (const [key, part] of parts) this.schemas[names.get(key) ?? ''] = withReferences(part, relocate);
    return { $ref: `#/components/schemas/${own}` };
  }

  /** A component's name may hold fewer characters than a definition's, so two of them may come to the same. */
  #reserve(name: string): string {
    const free = freeName(name.replaceAll(/[^A-Za-z0-9._-]/g, '_'), this.#taken);
    this.#taken.push(free);
    return free;
  }
}

function relocated(reference: string, own: string, names: ReadonlyMap<string, string>): string {
  if (!reference.startsWith('#')) return reference;
  const [, key, rest = ''] = /^#\/(?:\$defs|definitions)\/([^/]+)(.*)$/s.exec(reference) ?? [];
  if (key === undefined) return `#/components/schemas/${own}${reference.slice(1)}`;
  const known = names.get(unescapePointer(key));
  if (known !== undefined) return `#/components/schemas/${known}${rest}`;
  // Some libraries do not escape the slashes of a name.
  const whole = names.get(unescapePointer(key + rest));
  return whole === undefined ? reference : `#/components/schemas/${whole}`;
}

type Relocate = (reference: string) => string;

function withReferences(value: unknown, relocate: Relocate): unknown {
  if (Array.isArray(value)) return value.map((item) => withReferences(item, relocate));
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).map(([key, item]) => {
    if (DATA.has(key)) return [key, item];
    if (NAMED.has(key)) return [key, namedReferences(item, relocate)];
    return [
      key,
      key === '$ref' && typeof item === 'string' ? relocate(item) : withReferences(item, relocate),
    ];
  });
  return Object.fromEntries(entries);
}

function namedReferences(named: unknown, relocate: Relocate): unknown {
  if (typeof named !== 'object' || named === null) return named;
  return Object.fromEntries(
    Object.entries(named).map(([name, item]) => [name, withReferences(item, relocate)]),
  );
}
