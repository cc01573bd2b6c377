import type { LostCall, LostCalls } from '../handle/routing/lost-calls.ts';

/** Reports the calls of a dead replica, at once if all caller threads have already answered. */
export function whenKnown(lost: LostCalls, tell: (calls: readonly LostCall[]) => void): void {
  if (lost.isOver) tell(lost.calls);
  else void lost.over().then(() => tell(lost.calls));
}

/** Describes the calls: `it ran spin (request 4f2a.0-17, for 3.1 s)`; empty without calls. */
export function describeLostCalls(calls: readonly LostCall[], at: number = Date.now()): string {
  if (calls.length === 0) return '';
  const each = calls.map(({ method, requestId, since }) => {
    const seconds = (Math.max(0, at - since) / 1_000).toFixed(1);
    return `${method} (request ${requestId}, for ${seconds} s)`;
  });
  return `it ran ${each.join(', ')}`;
}
