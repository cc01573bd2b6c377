import { ServeError } from '../errors.ts';
import type { IngressDescription } from '../openapi/openapi-types.ts';
import type { OpenCalls, ToHost, ToReplica } from '../replica/control.ts';
import type { Remains } from '../replica/thread-hooks/remains.ts';
import { withTimeout } from '../time/timeout.ts';
import { pack, unpack } from '../values/pack.ts';

/** Limit of a description, in ms: the replica may be busy, and user code involved in it may hang. */
const DESCRIBE_TIMEOUT_MS = 10_000;
/** Limit of `recordAutoscalingStats`, in ms: the next sample asks again. */
const STATS_TIMEOUT_MS = 10_000;

type Question = Extract<ToReplica, { readonly id: number }>;
type WithoutId<T> = T extends unknown ? Omit<T, 'id'> : never;
type Answer = Extract<ToHost, { readonly type: 'answer' }>;

interface OpenQuestion {
  readonly begun: PromiseWithResolvers<void>;
  readonly answered: PromiseWithResolvers<Answer>;
}

interface AnswerLimit {
  readonly ms: number;
  readonly message: string;
  /** Whether the limit counts from when the replica begins with the question, which a computing replica does later. */
  readonly isFromBegin?: boolean;
  /** Whether the question keeps the process alive until the answer. */
  readonly keepsAlive?: boolean;
}

/** The questions that the host asks one replica. Each is answered once, exceeds its limit, or fails when the replica ends. */
export class ControlLink {
  readonly #about: { readonly app: string; readonly replica: string };
  readonly #post: (message: ToReplica) => void;
  readonly #open = new Map<number, OpenQuestion>();
  #asked = 0;
  #closedWith: ServeError | undefined = undefined;

  constructor(app: string, replicaId: string, post: (message: ToReplica) => void) {
    this.#about = { app, replica: replicaId };
    this.#post = post;
  }

  /** Number of questions without an answer yet. */
  get open(): number {
    return this.#open.size;
  }

  /** Rejects with the error of the hook `reconfigure`, or after `timeoutMs`. */
  async reconfigure(userConfig: unknown, timeoutMs: number): Promise<void> {
    const message = `reconfigure() took longer than ${timeoutMs} ms`;
    const packed = pack(userConfig, 'userConfig');
    await this.#ask({ type: 'reconfigure', userConfig: packed }, { ms: timeoutMs, message });
  }

  /** Rejects with the error of the hook `checkHealth`, or `timeoutMs` after the replica has begun with it. */
  async checkHealth(timeoutMs: number): Promise<void> {
    const message = `checkHealth() took longer than ${timeoutMs} ms`;
    await this.#ask({ type: 'checkHealth' }, { ms: timeoutMs, message, isFromBegin: true });
  }

  /** Values of the hook `recordAutoscalingStats`; undefined if the replica does not answer in time. */
  async autoscalingStats(): Promise<Readonly<Record<string, number>> | undefined> {
    const message = 'recordAutoscalingStats() did not answer in time';
    const answer = this.#ask({ type: 'autoscalingStats' }, { ms: STATS_TIMEOUT_MS, message });
    const late = (error: unknown): undefined => {
      if (error instanceof ServeError && error.message === message) return undefined;
      throw error;
    };
    return (await answer.catch(late))?.stats;
  }

  /** Describes the ingress for OpenAPI. */
  async describe(): Promise<IngressDescription> {
    const message = `${this.#about.replica} did not describe itself within ${DESCRIBE_TIMEOUT_MS} ms`;
    const limit = { ms: DESCRIBE_TIMEOUT_MS, message, keepsAlive: true };
    const { description } = await this.#ask({ type: 'describe' }, limit);
    return description ?? { routes: [] };
  }

  /** Lists the running calls. The replica answers as soon as its event loop turns. */
  async openCalls(): Promise<OpenCalls> {
    const { openCalls } = await this.#ask({ type: 'openCalls' });
    return openCalls ?? { deadline: 0, hasStreams: false };
  }

  /** Runs the destructor. Rejects with its error, or after `timeoutMs`. */
  async dispose(timeoutMs: number): Promise<void> {
    const message = `the destructor took longer than ${timeoutMs} ms`;
    await this.#ask({ type: 'dispose' }, { ms: timeoutMs, message, keepsAlive: true });
  }

  /**
   * Lets the replica end by itself once no work is under way in it. Rejects if it does not answer within `timeoutMs`: its
   * event loop is blocked.
   */
  async close(timeoutMs: number): Promise<Remains> {
    const message = `the event loop did not turn for ${timeoutMs} ms`;
    const { remains } = await this.#ask({ type: 'close' }, { ms: timeoutMs, message, keepsAlive: true });
    return remains ?? { hasLeftovers: false, hasAddons: false };
  }

  /** The replica begins with a question. */
  begun(id: number): void {
    this.#open.get(id)?.begun.resolve();
  }

  answered(answer: Answer): void {
    this.#open.get(answer.id)?.answered.resolve(answer);
  }

  /** Makes open questions and later ones fail, because the replica is gone. */
  destroy(error: ServeError): void {
    this.#closedWith = error;
    for (const { answered } of this.#open.values()) answered.reject(error);
  }

  async #ask(question: WithoutId<Question>, limit?: AnswerLimit): Promise<Answer> {
    if (this.#closedWith !== undefined) throw this.#closedWith;
    const id = ++this.#asked;
    const begun = Promise.withResolvers<void>();
    const answered = Promise.withResolvers<Answer>();
    this.#open.set(id, { begun, answered });
    this.#post({ ...question, id });
    try {
      if (limit?.isFromBegin === true) await Promise.race([begun.promise, answered.promise]);
      const answer = await (limit === undefined ? answered.promise : this.#inTime(answered.promise, limit));
      if (answer.error !== undefined) throw unpack(answer.error);
      return answer;
    } finally {
      this.#open.delete(id);
    }
  }

  #inTime<T>(answer: Promise<T>, { ms, message, keepsAlive = false }: AnswerLimit): Promise<T> {
    return withTimeout(answer, ms, () => new ServeError('SERVE_TIMEOUT', message, this.#about), keepsAlive);
  }
}
