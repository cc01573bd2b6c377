import { Agent, get } from 'node:http';
import type { AppInstance } from './processes.ts';

/** Requests under way at a time. */
const CALLERS = 12;
/** Each request counts the primes up to this number, which takes some milliseconds. */
const LIMIT = 200_000;
const EXPECTED = 17_984;

/** Asks the instances in turn, without a pause, and counts what becomes of it. */
export class Load {
  served = 0;
  /** Requests that an instance that lives did not answer, or answered wrongly. */
  lost = 0;
  /** Requests whose socket broke because their instance was killed. */
  cut = 0;
  /** Why requests were lost. */
  readonly reasons = new Map<string, number>();
  readonly #agent = new Agent({ keepAlive: true });
  readonly #instances: () => readonly AppInstance[];
  readonly #callers: Promise<void>[];
  #turn = 0;
  #isOver = false;

  constructor(instances: () => readonly AppInstance[]) {
    this.#instances = instances;
    this.#callers = Array.from({ length: CALLERS }, () => this.#call());
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#callers);
    this.#agent.destroy();
  }

  async #call(): Promise<void> {
    while (!this.#isOver) {
      const alive = this.#instances().filter(({ isKilled }) => !isKilled);
      const instance = alive[this.#turn++ % alive.length];
      if (instance === undefined) return;
      try {
        const body = await this.#ask(`${instance.url}/primes/${LIMIT}`);
        if (body !== JSON.stringify({ limit: LIMIT, primes: EXPECTED })) throw new Error(body);
        this.served++;
      } catch (error) {
        if (instance.isKilled) this.cut++;
        else this.#lose(error instanceof Error ? error.message : String(error));
      }
    }
  }

  #lose(reason: string): void {
    this.lost++;
    this.reasons.set(reason, (this.reasons.get(reason) ?? 0) + 1);
  }

  #ask(url: string): Promise<string> {
    return new Promise((resolve, reject) => {
      const request = get(url, { agent: this.#agent, timeout: 20_000 }, (response) => {
        let body = '';
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => {
          body += chunk;
        });
        response.on('end', () => resolve(body));
        response.on('error', reject);
      });
      request.on('timeout', () => request.destroy(new Error('no answer within 20 s')));
      request.on('error', reject);
    });
  }
}
