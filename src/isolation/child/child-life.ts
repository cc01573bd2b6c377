import type { AgentControl } from '../../replica/control.ts';
import { time } from '../../time/clock.ts';
import { within } from '../../time/timeout.ts';
import { type ChildExit, reportExit } from './child-exit.ts';
import type { ChildProcess } from './child-process.ts';

/**
 * Pause of this thread before it ends, in ms. Its end takes 5 ms of a core, which the host had just been woken up on: the
 * calls of the process would learn of its death that much later.
 */
const PAUSE_MS = 10;

/**
 * Ties a child process to the replica whose thread spawned it. The host learns of the process at once, so that it can end
 * it whatever happens to this thread. The thread ends after the process: otherwise no one would reap it, and it would stay
 * a zombie until the host ends.
 */
export class ChildLife {
  readonly #child: ChildProcess;
  readonly #control: Pick<AgentControl, 'post'>;
  #isEnding = false;
  /** The cause of the end that the user's code gave. */
  #cause: unknown = undefined;

  /**
   * @param endThread ends this thread at once, after a child that was not told to end
   * @param stackSignal the signal on which the child tells where its code stands
   */
  constructor(
    child: ChildProcess,
    control: Pick<AgentControl, 'post'>,
    endThread: () => void,
    stackSignal?: NodeJS.Signals,
  ) {
    this.#child = child;
    this.#control = control;
    if (child.pid !== undefined) control.post({ type: 'child', pid: child.pid, stackSignal });
    void child.exited.then((exit) => {
      this.#report(exit);
      if (!this.#isEnding) time.after(PAUSE_MS, endThread);
    });
  }

  /** Ends the child. Resolves when it is gone. @param graceMs time in which it may end by itself */
  async end(graceMs = 0): Promise<void> {
    this.#isEnding = true;
    if (graceMs > 0) await within(graceMs, this.#child.exited);
    this.#child.kill();
    await this.#child.exited;
  }

  /** The child is about to end, and says why. */
  blame(cause: unknown): void {
    this.#cause ??= cause;
  }

  #report(exit: ChildExit): void {
    this.#control.post({ type: 'childExited', exit: reportExit(exit, this.#cause) });
  }
}
