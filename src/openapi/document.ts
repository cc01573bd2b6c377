import type { JsonSchema } from '../validation/json-schema.ts';
import { Components } from './components.ts';
import type { IngressDescription, OpenApiDocument, RouteDescription } from './openapi-types.ts';
import { Problems } from './problems.ts';
import { resultKinds } from './result-kinds.ts';

export interface DocumentOptions {
  readonly title: string;
  readonly version: string;
  /** The path at which the app is mounted; `/` for the root. */
  readonly prefix: string;
}

/**
 * The OpenAPI document of an app, made from its schemas and the document of its ingress. Its version is 3.1, or 3.0 if the
 * document of the ingress is 3.0.
 */
export function openApiDocument(
  { routes, document }: IngressDescription,
  { title, version, prefix }: DocumentOptions,
): OpenApiDocument {
  const own = document === undefined ? undefined : parts(document);
  const taken = {
    schemas: Object.keys(own?.components['schemas'] ?? {}),
    responses: Object.keys(own?.components['responses'] ?? {}),
  };
  const problems = new Problems(taken);
  const components = new Components([...taken.schemas, ...Object.keys(problems.schemas)]);
  const ids = new OperationIds(own?.paths ?? {});
  const described = routes.map((route) => [
    join(prefix, route.path),
    pathItem(route, title, { components, problems, ids }),
  ]);
  const given = Object.entries(own?.paths ?? {}).map(([path, item]) => [join(prefix, path), item]);
  return {
    openapi: '3.1.1',
    ...document,
    info: { title, version, ...own?.info },
    paths: Object.fromEntries([...described, ...given]),
    components: {
      ...own?.components,
      schemas: { ...problems.schemas, ...components.schemas, ...own?.components['schemas'] },
      responses: { ...problems.responses, ...own?.components['responses'] },
    },
  };
}

/** The parts of a document that are merged; a part that is not an object counts as empty. */
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

/** State shared by the routes of a document. */
interface Shared {
  readonly components: Components;
  readonly problems: Problems;
  readonly ids: OperationIds;
}

/** Makes ids of operations that are unique in a document, since different paths may give the same name. */
class OperationIds {
  readonly #taken = new Set<string>();

  constructor(paths: Record<string, object>) {
    for (const item of Object.values(paths)) {
      for (const operation of Object.values(item)) {
        const id: unknown =
          typeof operation === 'object' ? Reflect.get(Object(operation), 'operationId') : undefined;
        if (typeof id === 'string') this.#taken.add(id);
      }
    }
  }

  next(id: string): string {
    let free = id;
    for (let suffix = 1; this.#taken.has(free); suffix++) free = `${id}_${suffix}`;
    this.#taken.add(free);
    return free;
  }
}

function pathItem(route: RouteDescription, title: string, { components, problems, ids }: Shared): object {
  const { path, input, output, takesRequest, takesJson = false, isStream } = route;
  const name = path === '/' ? title : `${title}${path.replaceAll('/', '_')}`;
  const responses = {
    ...results(output, output && components.add(`${name}_output`, output), isStream),
    ...problems.of({
      takesRequest,
      takesJson: takesJson || input !== undefined,
      hasSchema: input !== undefined,
    }),
  };
  if (input !== undefined) {
    const schema = components.add(`${name}_input`, input);
    const requestBody = { required: true, content: { 'application/json': { schema } } };
    return { post: { operationId: ids.next(`post_${name}`), requestBody, responses } };
  }
  const get = { operationId: ids.next(`get_${name}`), responses };
  if (!takesRequest) return { get };
  // A route that reads JSON requires a body; for any other route the body is optional and of any type.
  const requestBody = takesJson
    ? { required: true, content: { 'application/json': {} } }
    : { content: { '*/*': {} } };
  return { get, post: { operationId: ids.next(`post_${name}`), requestBody, responses } };
}

/** The responses of a route that succeeds, as `replica/ingress/response.ts` sends them. */
function results(output: JsonSchema | undefined, schema: JsonSchema | undefined, isStream: boolean): object {
  const description = 'The result.';
  if (output === undefined || schema === undefined) return { 200: { description } };
  const kinds = resultKinds(output);
  const content: Record<string, object> = {};
  if (isStream && (kinds.has('json') || kinds.has('nothing'))) content['application/x-ndjson'] = { schema };
  if (!isStream && kinds.has('json')) content['application/json'] = { schema };
  // The chunks of a text stream are not its values, so the schema of a value does not describe the body.
  if (kinds.has('text')) content['text/plain'] = { schema: isStream ? { type: 'string' } : schema };
  if (kinds.has('bytes')) content['application/octet-stream'] = {};
  const hasContent = Object.keys(content).length > 0;
  return {
    ...(hasContent && { 200: { description, content } }),
    ...(!isStream && kinds.has('nothing') && { 204: { description: 'There is no result.' } }),
  };
}
