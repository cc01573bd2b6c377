import type { JsonSchema } from '../validation/json-schema.ts';
import { Components } from './components.ts';
import { PROBLEM_RESPONSES, PROBLEM_SCHEMA, problemsOf } from './problems.ts';
import type { IngressDescription, OpenApiDocument, RouteDescription } from './types.ts';

export interface DocumentOptions {
  readonly title: string;
  readonly version: string;
  /** Where the app is mounted; `/` for the root. */
  readonly prefix: string;
}

/** The OpenAPI 3.1 document of an app: what its ingress says of itself, and what its schemas say. */
export function openApiDocument(
  { routes, document }: IngressDescription,
  { title, version, prefix }: DocumentOptions,
): OpenApiDocument {
  const own = document === undefined ? undefined : parts(document);
  const components = new Components();
  const described = routes.map((route) => [join(prefix, route.path), pathItem(route, title, components)]);
  const given = Object.entries(own?.paths ?? {}).map(([path, item]) => [join(prefix, path), item]);
  const schemas = { Problem: PROBLEM_SCHEMA, ...components.schemas };
  return {
    openapi: '3.1.1',
    ...document,
    info: { title, version, ...own?.info },
    paths: Object.fromEntries([...described, ...given]),
    components: {
      ...own?.components,
      schemas: { ...schemas, ...own?.components['schemas'] },
      responses: { ...PROBLEM_RESPONSES, ...own?.components['responses'] },
    },
  };
}

/** The parts of a document that are merged; what is no object is left out. */
function parts(document: JsonSchema): Record<'info' | 'paths' | 'components', Record<string, object>> {
  const part = (name: string): Record<string, object> => {
    const value = document[name];
    return typeof value === 'object' && value !== null ? (value as Record<string, object>) : {};
  };
  return { info: part('info'), paths: part('paths'), components: part('components') };
}

function join(prefix: string, path: string): string {
  if (prefix === '/') return path;
  return path === '/' ? prefix : `${prefix}${path}`;
}

function pathItem(route: RouteDescription, title: string, components: Components): object {
  const { path, input, output, takesRequest, isStream } = route;
  const name = path === '/' ? title : `${title}${path.replaceAll('/', '_')}`;
  const result = output && components.add(`${name}_output`, output);
  const responses = {
    200: { description: 'The result.', ...(result && { content: contentOf(output, result, isStream) }) },
    ...problemsOf({ takesRequest, hasSchema: input !== undefined }),
  };
  if (input !== undefined) {
    const schema = components.add(`${name}_input`, input);
    const requestBody = { required: true, content: { 'application/json': { schema } } };
    return { post: { operationId: `post_${name}`, requestBody, responses } };
  }
  const get = { operationId: `get_${name}`, responses };
  if (!takesRequest) return { get };
  return { get, post: { operationId: `post_${name}`, requestBody: { content: { '*/*': {} } }, responses } };
}

/** As `replica/ingress/response.ts` sends it: text as text, streamed values as lines of JSON. */
function contentOf(output: JsonSchema | undefined, schema: JsonSchema, isStream: boolean): object {
  if (output?.['type'] === 'string')
    return { 'text/plain': { schema: isStream ? { type: 'string' } : schema } };
  return { [isStream ? 'application/x-ndjson' : 'application/json']: { schema } };
}
