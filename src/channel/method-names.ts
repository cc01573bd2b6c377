import { ServeError } from '../errors.ts';
import { METHOD_HTTP, METHOD_WEBSOCKET } from './frames.ts';

/** Remote methods by name, as the replica reported them, and their index on the wire. */
export type MethodTable = ReadonlyMap<string, number>;

/** Names of the ingress protocols, in the place of a method's. */
export const HTTP_METHOD_NAME = '\0http';
export const WEBSOCKET_METHOD_NAME = '\0websocket';

/** Returns the name of a method in messages and metrics. */
export function methodLabel(method: string): string {
  return method.startsWith('\0') ? method.slice(1) : method;
}

/** Index of a method on the wire. */
export function methodIndex(method: string, methods: MethodTable): number | undefined {
  const index = methods.get(method);
  if (index !== undefined) return index;
  if (method === HTTP_METHOD_NAME) return METHOD_HTTP;
  return method === WEBSOCKET_METHOD_NAME ? METHOD_WEBSOCKET : undefined;
}

/** The details of a call that its error reports. */
export interface CalledMethod {
  /** Name of the deployment; empty where the caller does not know it. */
  readonly deployment: string;
  readonly method: string;
}

/** Creates the error of a call to a method that the replica does not have. */
export function unknownMethod({ deployment, method }: CalledMethod, methods: MethodTable): ServeError {
  const available = [...methods.keys()].sort().join(', ') || '(none)';
  return new ServeError(
    'SERVE_UNKNOWN_METHOD',
    `${deployment === '' ? '' : `${deployment}: `}there is no method '${method}'; available methods: ${available}`,
  );
}
