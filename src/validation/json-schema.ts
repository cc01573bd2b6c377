import type { StandardJSONSchemaV1 } from '@standard-schema/spec';
import { ServeError } from '../errors.ts';
import type { Schema } from './schema.ts';

/** A JSON Schema of draft 2020-12, the dialect of OpenAPI 3.1. */
export type JsonSchema = Readonly<Record<string, unknown>>;

/** The dialects of OpenAPI 3.1 and 3.0. */
export type JsonSchemaTarget = 'draft-2020-12' | 'openapi-3.0';

/** The values that a schema accepts, or those that it returns after its transformations. */
export type SchemaSide = 'input' | 'output';

/**
 * Converts a schema to a JSON Schema: by the Standard JSON Schema spec (zod ≥ 4.2, arktype ≥ 2.1.28 and others), for valibot
 * by `@valibot/to-json-schema`. A part that no JSON Schema can describe matches anything.
 *
 * @throws ServeError `SERVE_MISSING_DEPENDENCY` for a valibot schema without that package
 */
export async function toJsonSchema(
  schema: Schema,
  side: SchemaSide,
  target: JsonSchemaTarget = 'draft-2020-12',
): Promise<JsonSchema> {
  const standard: Schema['~standard'] & Partial<StandardJSONSchemaV1.Props> = schema['~standard'];
  try {
    if (standard.jsonSchema !== undefined) return standard.jsonSchema[side](options(standard.vendor, target));
    if (standard.vendor === 'valibot') return await fromValibot(schema, side, target);
  } catch (cause) {
    if (cause instanceof ServeError) throw cause;
    return unknownTo(standard.vendor, cause instanceof Error ? `: ${cause.message}` : '');
  }
  return unknownTo(standard.vendor, '');
}

function options(vendor: string, target: JsonSchemaTarget): StandardJSONSchemaV1.Options {
  // By default zod throws for a part that it cannot describe; this option leaves that part open and describes the rest.
  return vendor === 'zod' ? { target, libraryOptions: { unrepresentable: 'any' } } : { target };
}

async function fromValibot(schema: Schema, side: SchemaSide, target: JsonSchemaTarget): Promise<JsonSchema> {
  const { toJsonSchema: convert } = await loadValibotConverter();
  return convert(schema as Parameters<typeof convert>[0], {
    target,
    typeMode: side,
    errorMode: 'ignore',
  }) as JsonSchema;
}

async function loadValibotConverter(): Promise<typeof import('@valibot/to-json-schema')> {
  try {
    return await import('@valibot/to-json-schema');
  } catch (cause) {
    const hint =
      'openapi() of valibot schemas needs @valibot/to-json-schema: npm install @valibot/to-json-schema';
    throw new ServeError('SERVE_MISSING_DEPENDENCY', hint, { cause });
  }
}

function unknownTo(vendor: string, why: string): JsonSchema {
  return { description: `Checked by ${vendor}, which gives no JSON Schema for it${why}` };
}
