import { loadTarget, type Registration } from '../deployment/registry.ts';
import type { ReplicaInit } from './control.ts';

/** Loads and runs the code of a replica, in its thread or in a process. */
export interface CodeSource {
  /**
   * Whether the user's code runs on the event loop of this thread. If not, the source reports the turns of the loop that
   * runs it to the replica's load table (`ReplicaLoad.beat`), from the start on.
   */
  readonly isOnThread: boolean;
  /** Loads the class or function of the replica; the replica makes the instance from it. */
  load(init: ReplicaInit): Promise<Registration>;
  /** Sets the period at which a loop elsewhere reports its turns, in ms. It begins with `ReplicaInit.tickMs`. */
  tickEvery?(tickMs: number): void;
  /** Ends all that runs elsewhere, after the destructor of the instance and before the thread ends. */
  close?(): Promise<void>;
}

/** Code that runs on this thread, from the module that registers it. */
export const ON_THREAD: CodeSource = {
  isOnThread: true,
  load: ({ module, exportName }) => loadTarget(module, exportName),
};
