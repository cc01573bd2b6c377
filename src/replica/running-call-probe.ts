import { callScope } from '../handle/call/scope.ts';
import { RunningCall } from './running-call.ts';

/** Name of the symbol under which the inspector finds the probe in a replica's thread. */
export const RUNNING_CALL = 'inserve.runningCall';

/** The call that the code runs for. */
export interface ProbedCall {
  readonly method: string;
  readonly requestId: string;
}

/**
 * Lets the host ask, through the inspector, for which call the code of a blocked loop runs.
 *
 * @param methodName names a method by its index
 */
export function installProbe(methodName: (method: number) => string | undefined): void {
  const probe = (): ProbedCall | undefined => {
    const call = callScope.getStore();
    if (!(call instanceof RunningCall)) return undefined;
    return { method: methodName(call.inbound.method) ?? '', requestId: call.requestId };
  };
  Object.defineProperty(globalThis, Symbol.for(RUNNING_CALL), { value: probe });
}
