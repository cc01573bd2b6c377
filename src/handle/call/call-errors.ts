import { methodLabel } from '../../channel/method-names.ts';
import { ServeError, type ServeErrorCode } from '../../errors.ts';
import type { Destination } from './destination.ts';

/** The details of a call that its error reports. */
export interface FailingCall {
  readonly route: { readonly app: string; readonly deployment: string };
  readonly method: string;
  readonly requestId: string;
  readonly endpoint: Destination | undefined;
}

/** @param what happened, as text */
export function callError(
  { route: { app, deployment }, method, requestId, endpoint }: FailingCall,
  code: ServeErrorCode,
  what: string,
  more: object = {},
): ServeError {
  return new ServeError(code, `${deployment}.${methodLabel(method)}: ${what}`, {
    app,
    deployment,
    requestId,
    ...(endpoint === undefined ? {} : { replica: endpoint.replicaId }),
    ...more,
  });
}

/**
 * Creates the error of a call whose replica is gone.
 *
 * @param cause the death reason that the host reports, or the failure of the channel
 * @param retryable the call may be repeated
 */
export function replicaDied(call: FailingCall, cause: unknown, retryable: boolean): ServeError {
  if (!(cause instanceof ServeError))
    return callError(call, 'SERVE_REPLICA_DIED', `replica ${call.endpoint?.replicaId} died`, {
      cause,
      retryable,
    });
  if (cause.code !== 'SERVE_REPLICA_DIED') return cause;
  const { app, deployment } = call.route;
  return new ServeError('SERVE_REPLICA_DIED', cause.message, {
    app,
    deployment,
    requestId: call.requestId,
    retryable,
    ...(cause.replica === undefined ? {} : { replica: cause.replica }),
    ...(cause.cause === undefined ? {} : { cause: cause.cause }),
  });
}
