import type { IngressDescription, RouteDescription } from '../openapi/openapi-types.ts';
import { type JsonSchema, type JsonSchemaTarget, toJsonSchema } from '../validation/json-schema.ts';
import type { MethodSchemas } from '../validation/schema.ts';

/** The key under which an ingress of the library lists its routes. */
export const ROUTES: unique symbol = Symbol('inserve.routes');

/** The key under which an ingress of the library says whether it only reads its requests. */
export const ONLY_READS: unique symbol = Symbol.for('inserve.onlyReads');

/** The parts of a replica's ingress that are described. */
export interface Ingress {
  readonly instance: object;
  readonly kind: 'fetch' | 'call' | 'none';
  readonly takesRequest: boolean;
  readonly takesWebSockets: boolean;
  /** The user's own method. */
  readonly method: Function | undefined;
  readonly schemas: MethodSchemas;
}

/**
 * Describes an ingress for OpenAPI: `call` by its schemas, a graph by its routes, a router by its own document.
 *
 * @throws the error of the ingress' `openapi()`; ServeError `SERVE_MISSING_DEPENDENCY`
 */
export async function describeIngress(ingress: Ingress): Promise<IngressDescription> {
  const document = await ownDocument(ingress.instance);
  const listed: unknown = Reflect.get(ingress.instance, ROUTES);
  const routes =
    typeof listed === 'function'
      ? ((await listed.call(ingress.instance)) as RouteDescription[])
      : ingress.kind === 'call'
        ? [await describeCall(ingress, dialectOf(document))]
        : [];
  const face = { http: ingress.kind !== 'none', webSocket: ingress.takesWebSockets };
  return { face, routes, ...(document !== undefined && { document }) };
}

/** The dialect of the schemas, which must match that of the ingress' own document. */
function dialectOf(document: JsonSchema | undefined): JsonSchemaTarget {
  return String(document?.['openapi']).startsWith('3.0') ? 'openapi-3.0' : 'draft-2020-12';
}

async function describeCall(
  { method, schemas, takesRequest }: Ingress,
  dialect: JsonSchemaTarget,
): Promise<RouteDescription> {
  const { input, output } = schemas;
  return {
    path: '/',
    takesRequest,
    isStream: /^\[object (?:Async)?GeneratorFunction\]$/.test(Object.prototype.toString.call(method)),
    ...(input && { input: await toJsonSchema(input, 'input', dialect) }),
    ...(output && { output: await toJsonSchema(output, 'output', dialect) }),
  };
}

/** The document of a router that describes itself, such as `OpenAPIHono`. */
async function ownDocument(instance: object): Promise<JsonSchema | undefined> {
  const openapi: unknown = Reflect.get(instance, 'openapi');
  if (typeof openapi !== 'function') return undefined;
  const document: unknown = await openapi.call(instance);
  // Converted to JSON, because other values may not cross to the host.
  const plain: unknown = JSON.parse(JSON.stringify(document ?? null));
  if (typeof plain === 'object' && plain !== null && !Array.isArray(plain)) return plain as JsonSchema;
  throw new TypeError(
    `openapi() of the ingress must return an OpenAPI document, got ${JSON.stringify(plain)}`,
  );
}
