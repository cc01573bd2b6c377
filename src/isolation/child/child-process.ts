import type { ChildProcess as NodeChild } from 'node:child_process';
import type { Duplex, Readable } from 'node:stream';
import { inRootContext } from '../../time/root-context.ts';
import { within } from '../../time/timeout.ts';
import type { ChildExit } from './child-exit.ts';
import { oomKills } from './oom-kills.ts';
import { OutputTail } from './output-tail.ts';
import { killGroup } from './process-group.ts';

/** Time after the exit in which the last output and frames of a child arrive, in ms. They are in the kernel already. */
const LAST_OUTPUT_MS = 20;

/** The file descriptor of the link in the child. */
export const LINK_FD = 3;
/** The file descriptor in the child of the pipe beside the link. */
export const SECOND_FD = 4;
/** The file descriptor in a child that writes stacks of a pipe that carries nothing: its end is that of this side. */
export const SILENT_FD = 5;

export interface ChildCommand {
  /** Program, as a path or as a name that is found on `PATH`. It is never run by a shell. */
  readonly file: string;
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  /** Default: the folder of this process. */
  readonly cwd?: string;
  /**
   * Use of the pipe beside the link; undefined = there is none. From a lifeline the child reads its end when this process, or
   * the thread that spawned the child, is gone; to the other one it writes where its code stands. A child that writes stacks has
   * a silent pipe as well, as its lifeline.
   */
  readonly secondPipe?: 'lifeline' | 'stacks';
  /** Receives the output of the child as it comes. */
  onOutput(stream: 'stdout' | 'stderr', bytes: Buffer): void;
}

/**
 * A child process with a link to it, spawned by the thread of its replica. The child leads a process group of its own,
 * and the group ends with it.
 */
export class ChildProcess {
  /** Undefined if the process could not be started. */
  readonly pid: number | undefined;
  /** The stream to file descriptor 3 of the child. */
  readonly link: Duplex;
  /** Resolves once the child is gone, and its last output and frames have arrived. Never rejects. */
  readonly exited: Promise<ChildExit>;
  /** The stacks that the child writes; undefined if it writes none. */
  readonly stacks: Readable | undefined;
  readonly #child: NodeChild;
  #isKilled = false;
  #isGone = false;
  #killedFor: string | undefined = undefined;

  constructor({ file, args, env, cwd, secondPipe, onOutput }: ChildCommand) {
    const kills = oomKills();
    const pipes = { none: 1, lifeline: 2, stacks: 3 }[secondPipe ?? 'none'];
    const stdio = ['ignore', 'pipe', 'pipe', ...new Array<'pipe'>(pipes).fill('pipe')] as const;
    const options = { env, stdio: [...stdio], detached: true, windowsHide: true, ...(cwd && { cwd }) };
    // Loaded when it is needed: it costs every thread of a replica 2 ms and 380 KiB.
    const { spawn } = process.getBuiltinModule('node:child_process');
    const child = inRootContext(() => spawn(file, args, options));
    this.#child = child;
    this.pid = child.pid;
    this.link = child.stdio[LINK_FD] as Duplex;
    this.stacks = secondPipe === 'stacks' ? (child.stdio[SECOND_FD] as Readable) : undefined;
    // A child that is gone resets its streams; the exit says what happened.
    for (const stream of child.stdio) stream?.on('error', () => {});
    const tail = new OutputTail();
    child.stdout?.on('data', (bytes: Buffer) => onOutput('stdout', bytes));
    child.stderr?.on('data', (bytes: Buffer) => {
      tail.add(bytes);
      onOutput('stderr', bytes);
    });
    this.exited = this.#exit(kills, tail);
  }

  /** Ends the child and its process group at once. @param why reason, unless the end was asked for */
  kill(why?: string): void {
    this.#isKilled = true;
    this.#killedFor ??= why;
    if (!this.#isGone && this.pid !== undefined) killGroup(this.pid);
  }

  async #exit(kills: number | undefined, tail: OutputTail): Promise<ChildExit> {
    const child = this.#child;
    const { promise, resolve } = Promise.withResolvers<Pick<ChildExit, 'code' | 'signal' | 'failure'>>();
    child.once('exit', (code, signal) => resolve({ code, signal, failure: undefined }));
    child.once('error', (failure) => {
      if (this.pid === undefined) resolve({ code: null, signal: null, failure });
    });
    let hasEnded = false;
    const ended = Promise.all([child.stdout, child.stderr, this.link].map(endOf)).then(() => {
      hasEnded = true;
    });
    const how = await promise;
    this.#isGone = true;
    if (this.pid !== undefined) {
      if (hasEnded) {
        // The descendants hold no stream open, so their end can wait until the exit is reported.
        setImmediate(killGroup, this.pid);
      } else {
        killGroup(this.pid);
        await within(LAST_OUTPUT_MS, ended);
      }
    }
    // Descendants that left the process group may hold the streams open.
    for (const stream of child.stdio) stream?.destroy();
    const isOutOfMemory = how.signal === 'SIGKILL' && kills !== undefined && (oomKills() ?? 0) > kills;
    return { ...how, isOutOfMemory, isKilled: this.#isKilled, killedFor: this.#killedFor, stderr: tail.text };
  }
}

/** Resolves once a stream has ended or was destroyed. */
function endOf(stream: Readable | Duplex | null | undefined): Promise<void> {
  return new Promise((resolve) => {
    if (stream === null || stream === undefined || stream.closed) resolve();
    else stream.once('end', resolve).once('close', resolve);
  });
}
