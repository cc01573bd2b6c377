import type { LostCall, LostCalls } from '../handle/routing/lost-calls.ts';

/** Tells of the calls of a replica that died, at once where all caller threads have answered already. */
export function whenKnown(lost: LostCalls, tell: (calls: readonly LostCall[]) => void): void {
  if (lost.isOver) tell(lost.calls);
  else void lost.over().then(() => tell(lost.calls));
}

/** The calls in words: `it ran spin (request 4f2a.0-17, for 3.1 s)`; empty if there are none. */
export function describeLostCalls(calls: readonly LostCall[], at: number = Date.now()): string {
  if (calls.length === 0) return '';
  const each = calls.map(({ method, requestId, since }) => {
    const seconds = (Math.max(0, at - since) / 1_000).toFixed(1);
    return `${method} (request ${requestId}, for ${seconds} s)`;
  });
  return `it ran ${each.join(', ')}`;
}
