import { ServeError } from '../errors.ts';
import type { ManagedReplica } from './managed-replica.ts';

/** Ends replicas that do not respond, and reports the code in which their event loops are blocked. */
export class BlockedLoops {
  readonly #ending = new WeakSet<ManagedReplica>();

  /**
   * Ends a replica as soon as the inspector has answered.
   * @param why fault of the replica
   */
  destroy(replica: ManagedReplica, why: string): void {
    if (this.#ending.has(replica)) return;
    this.#ending.add(replica);
    void endBlocked(replica, why);
  }
}

async function endBlocked(replica: ManagedReplica, why: string): Promise<void> {
  const stack = await replica.loopStack();
  const { app, deployment, replicaId } = replica;
  const about = { app, deployment, replica: replicaId };
  const place = stack.frames === undefined ? `(${stack.why})` : stack.frames[0];
  const call = stack.frames === undefined ? undefined : stack.call;
  const running = call === undefined ? '' : ` in ${call.method} (request ${call.requestId})`;
  const message = `replica ${replicaId}: ${why}${running} ${place}`;
  const cause = stack.frames === undefined ? {} : { cause: blockedAt(stack.frames) };
  await replica.destroy(new ServeError('SERVE_REPLICA_DIED', message, { ...about, ...cause }));
}

/** An error with the stack of the blocked loop. */
function blockedAt(frames: readonly string[]): Error {
  const error = new Error('the event loop was blocked here');
  const lines = frames.map((frame) => `    ${frame}`);
  error.stack = [`Error: ${error.message}`, ...lines].join('\n');
  return error;
}
