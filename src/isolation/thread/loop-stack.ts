import type { Session } from 'node:inspector';
import { isMainThread } from 'node:worker_threads';
import { type ProbedCall, RUNNING_CALL } from '../../replica/running-call-probe.ts';
import { inRootContext } from '../../time/root-context.ts';
import { isOwnFile } from '../own-files.ts';
import type { LoopStack } from '../replica-host.ts';

/** A loop that spins answers in 30 to 170 ms, on a machine with ten busy threads per core in 1 s; native code never answers. */
const LIMIT_MS = 1_000;
/** Maximum number of frames kept of a stack. */
const MOST_FRAMES = 20;

interface Frame {
  readonly functionName: string;
  readonly callFrameId: string;
  readonly location: {
    readonly scriptId: string;
    readonly lineNumber: number;
    readonly columnNumber?: number;
  };
}

/** The parts of the thread's answers that are used. */
interface ThreadMessage {
  readonly id?: number;
  readonly method?: string;
  readonly params: {
    readonly scriptId?: string;
    readonly url?: string;
    readonly callFrames?: readonly Frame[];
  };
  readonly result?: {
    readonly result?: { readonly value?: ProbedCall };
    readonly exceptionDetails?: unknown;
  };
}

/**
 * Asks the inspector where the event loop of a worker thread stands: pauses the thread briefly, reads its stack and resumes
 * it. This needs no flag and works while the thread spins. A thread under a debugger is left alone, since the pause would
 * show in that debugger.
 */
export async function loopStack(threadId: number, limitMs: number = LIMIT_MS): Promise<LoopStack> {
  try {
    const inspector = await import('node:inspector');
    if (inspector.url() !== undefined) return { frames: undefined, why: 'a debugger may be attached' };
    const session = new inspector.Session();
    if (isMainThread) session.connect();
    else session.connectToMainThread();
    const looking = new LoopLook(session, threadId);
    const timer = setTimeout(() => looking.expire(), limitMs);
    try {
      inRootContext(() => looking.start());
      return await looking.found;
    } finally {
      clearTimeout(timer);
      looking.close();
    }
  } catch {
    return { frames: undefined, why: 'the inspector is not available' };
  }
}

/** Message ids of the questions to the thread. */
const ID = { enable: 1, pause: 2, probe: 3, disable: 4 } as const;

const IN_NATIVE: LoopStack = {
  frames: undefined,
  why: 'no JavaScript ran in the thread: native code may block it',
};
const IDLE: LoopStack = { frames: undefined, why: 'no user code ran in the thread' };

/** One inspection of one thread. */
class LoopLook {
  readonly #session: Session;
  readonly #threadId: number;
  readonly #found = Promise.withResolvers<LoopStack>();
  readonly #urls = new Map<string, string>();
  #frames: readonly string[] = [];
  /** The session with the thread. */
  #own: string | undefined = undefined;

  constructor(session: Session, threadId: number) {
    this.#session = session;
    this.#threadId = threadId;
  }

  get found(): Promise<LoopStack> {
    return this.#found.promise;
  }

  start(): void {
    this.#session.on('NodeWorker.attachedToWorker', ({ params: { sessionId, workerInfo } }) => {
      if (!workerInfo.title.startsWith(`[worker ${this.#threadId}]`)) return;
      this.#own = sessionId;
      this.#ask(ID.enable, 'Debugger.enable');
      this.#ask(ID.pause, 'Debugger.pause');
    });
    this.#session.on('NodeWorker.receivedMessageFromWorker', ({ params: { sessionId, message } }) => {
      if (sessionId === this.#own) this.#receive(JSON.parse(message));
    });
    this.#session.post('NodeWorker.enable', { waitForDebuggerOnStart: false });
  }

  /** The thread has not answered in time. */
  expire(): void {
    this.#found.resolve(IN_NATIVE);
  }

  /** Resumes the thread. Without `Debugger.disable` a late pause would last for ever. */
  close(): void {
    this.#ask(ID.disable, 'Debugger.disable');
    this.#session.post('NodeWorker.disable');
    this.#session.disconnect();
  }

  #receive({ id, method, params, result }: ThreadMessage): void {
    if (method === 'Debugger.scriptParsed' && params.scriptId !== undefined) {
      this.#urls.set(params.scriptId, params.url ?? '');
    } else if (method === 'Debugger.paused') {
      const frames = params.callFrames ?? [];
      this.#frames = userFrames(frames, this.#urls);
      this.#ask(ID.probe, 'Debugger.evaluateOnCallFrame', {
        callFrameId: frames[0]?.callFrameId,
        expression: `globalThis[Symbol.for('${RUNNING_CALL}')]?.()`,
        returnByValue: true,
        silent: true,
      });
    } else if (id === ID.probe) {
      const call = result?.exceptionDetails === undefined ? result?.result?.value : undefined;
      this.#found.resolve(this.#frames.length === 0 ? IDLE : { frames: this.#frames, call });
    }
  }

  #ask(id: number, method: string, params: object = {}): void {
    if (this.#own === undefined) return;
    const message = JSON.stringify({ id, method, params });
    this.#session.post('NodeWorker.sendMessageToWorker', { sessionId: this.#own, message });
  }
}

/** The frames outside of Node and of this package, as lines. */
function userFrames(frames: readonly Frame[], urls: ReadonlyMap<string, string>): string[] {
  const lines: string[] = [];
  for (const { functionName, location } of frames) {
    const url = urls.get(location.scriptId) ?? '';
    if (url.startsWith('node:') || isOwnFile(url)) continue;
    const place = `${url || '<anonymous>'}:${location.lineNumber + 1}:${(location.columnNumber ?? 0) + 1}`;
    lines.push(functionName === '' ? `at ${place}` : `at ${functionName} (${place})`);
  }
  return lines.slice(0, MOST_FRAMES);
}
