import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import type { FromChild, ToChild } from './answer.ts';
import { loadFrom } from './builds.ts';

const STOP_MS = 5_000;
const KILL_MS = 1_000;
const OUTPUT_LIMIT = 8_000;

/**
 * A child process that answers one request at a time (its side is `answer.ts`). Every wait is bounded; a
 * child that does not answer in time is killed, through its own handle and so by its own id.
 */
export class Child<Request, Reply> {
  readonly #process: ChildProcess;
  readonly #name: string;
  #output = '';
  #closed = false;

  private constructor(name: string, script: URL, args: readonly string[], root: URL | undefined) {
    this.#name = name;
    // What the child prints is kept for failure reports; our own stdout ends in one machine-readable line.
    this.#process = fork(script, args, {
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      ...(root !== undefined && { execArgv: [...process.execArgv, ...loadFrom(root)] }),
    });
    for (const stream of [this.#process.stdout, this.#process.stderr]) {
      stream?.setEncoding('utf8').on('data', (chunk: string) => {
        this.#output = (this.#output + chunk).slice(-OUTPUT_LIMIT);
      });
    }
    this.#process.once('close', () => {
      this.#closed = true;
    });
  }

  /**
   * Resolves once the child says that it is ready.
   * @param root checkout that the child and its threads load the package from; default: the one of the script
   */
  static async start<Request, Reply>(
    name: string,
    script: URL,
    args: readonly string[],
    timeoutMs: number,
    root?: URL,
  ): Promise<Child<Request, Reply>> {
    const child = new Child<Request, Reply>(name, script, args, root);
    const message = await child.#next('start', timeoutMs);
    if ('ready' in message) return child;
    child.#process.kill('SIGKILL');
    throw child.#error(`sent ${JSON.stringify(message)} instead of being ready`);
  }

  get pid(): number | undefined {
    return this.#process.pid;
  }

  async ask(request: Request, timeoutMs: number): Promise<Reply> {
    this.#send({ request });
    const message = await this.#next(JSON.stringify(request), timeoutMs);
    if ('reply' in message) return message.reply;
    throw this.#error('error' in message ? message.error : `sent ${JSON.stringify(message)} out of turn`);
  }

  /** Never rejects. Resolves to a remark when the child had to be killed or could not close what it ran. */
  async stop(): Promise<string | undefined> {
    if (this.#closed) return undefined;
    const stopping = this.#next('stop', STOP_MS);
    this.#send({ stop: true });
    try {
      const message = await stopping;
      await this.#exit();
      return 'stopped' in message && !message.stopped ? 'did not close by itself' : undefined;
    } catch (error) {
      await this.#exit();
      return error instanceof Error ? error.message : String(error);
    }
  }

  async #exit(): Promise<void> {
    if (await this.#closesWithin(STOP_MS)) return;
    this.#process.kill('SIGKILL');
    // A grandchild that holds the pipes open must not hold us.
    await this.#closesWithin(KILL_MS);
  }

  async #closesWithin(ms: number): Promise<boolean> {
    if (this.#closed) return true;
    try {
      await once(this.#process, 'close', { signal: AbortSignal.timeout(ms) });
      return true;
    } catch {
      return false;
    }
  }

  #send(message: ToChild<Request>): void {
    // A dead child is reported by its 'close' event, with its stderr: the send error says less.
    this.#process.send(message, () => {});
  }

  #next(step: string, timeoutMs: number): Promise<FromChild<Reply>> {
    return new Promise((resolve, reject) => {
      const settle = (finish: () => void) => {
        clearTimeout(timer);
        this.#process.off('message', onMessage).off('close', onClose);
        finish();
      };
      const onMessage = (message: unknown) => settle(() => resolve(message as FromChild<Reply>));
      const onClose = () => {
        const { exitCode, signalCode } = this.#process;
        settle(() => reject(this.#error(`exited (${signalCode ?? exitCode}) during ${step}`)));
      };
      const timer = setTimeout(() => {
        this.#process.kill('SIGKILL');
        settle(() =>
          reject(this.#error(`not done after ${timeoutMs} ms: ${step}; killed ${this.#process.pid}`)),
        );
      }, timeoutMs);
      if (this.#closed) onClose();
      else this.#process.on('message', onMessage).on('close', onClose);
    });
  }

  #error(what: string): Error {
    const output = this.#output.trim();
    return new Error(`${this.#name} ${what}${output === '' ? '' : `\n${output}`}`);
  }
}
