import type { JsonSchema } from '../validation/json-schema.ts';

/** Keywords whose value is data, in which a `$ref` refers to nothing. */
const DATA = new Set(['const', 'enum', 'default', 'examples']);

/** The schemas of a document, each under a name of its own, with references that hold wherever it is used. */
export class Components {
  readonly schemas: Record<string, unknown> = {};

  /**
   * Takes a schema in: its `$defs` become components beside it, and what pointed into the schema points there.
   *
   * @returns a reference to it
   */
  add(name: string, schema: JsonSchema): JsonSchema {
    const { $schema: _, $defs = {}, ...root } = schema;
    const free = this.#freeName(name);
    const relocate = (pointer: string): string => {
      const [, inDefs, rest = ''] = /^#\/\$defs\/([^/]+)(.*)$/s.exec(pointer) ?? [];
      if (inDefs !== undefined) return `#/components/schemas/${partName(free, inDefs)}${rest}`;
      return pointer.startsWith('#') ? `#/components/schemas/${free}${pointer.slice(1)}` : pointer;
    };
    this.schemas[free] = relocated(root, relocate);
    for (const [key, part] of Object.entries($defs as Record<string, unknown>)) {
      this.schemas[partName(free, key)] = relocated(part, relocate);
    }
    return { $ref: `#/components/schemas/${free}` };
  }

  #freeName(name: string): string {
    const clean = name.replaceAll(/[^A-Za-z0-9._-]/g, '_');
    let free = clean;
    for (let suffix = 1; Object.hasOwn(this.schemas, free); suffix++) free = `${clean}_${suffix}`;
    return free;
  }
}

/** A component's name may hold fewer characters than a definition's. */
function partName(owner: string, key: string): string {
  return `${owner}.${key.replaceAll(/[^A-Za-z0-9._-]/g, '_')}`;
}

function relocated(value: unknown, relocate: (pointer: string) => string): unknown {
  if (Array.isArray(value)) return value.map((item) => relocated(item, relocate));
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).map(([key, item]) => {
    if (DATA.has(key)) return [key, item];
    return [key, key === '$ref' && typeof item === 'string' ? relocate(item) : relocated(item, relocate)];
  });
  return Object.fromEntries(entries);
}
