import type { Load } from './load.ts';
import type { AppInstance } from './processes.ts';

/** Shows the fleet: a table that redraws on a terminal, a plain line per second elsewhere. */
export class Screen {
  readonly #out: NodeJS.WriteStream;
  readonly #load: Load;
  readonly #instances: () => readonly AppInstance[];
  #lines = 0;
  #served = 0;
  #at = performance.now();

  constructor(out: NodeJS.WriteStream, load: Load, instances: () => readonly AppInstance[]) {
    this.#out = out;
    this.#load = load;
    this.#instances = instances;
  }

  /** Says what happens, above the table. */
  say(text: string): void {
    this.#erase();
    this.#out.write(`${text}\n`);
  }

  draw(): void {
    const now = performance.now();
    const rate = Math.round(((this.#load.served - this.#served) / (now - this.#at)) * 1_000);
    this.#served = this.#load.served;
    this.#at = now;
    const { served, lost, cut } = this.#load;
    const counts = `${rate} requests/s · ${served} served · ${lost} lost · ${cut} cut with their instance`;
    const rows = this.#instances().map(rowOf);
    if (!this.#out.isTTY) {
      this.#out.write(`${rows.join(' | ')} | ${counts}\n`);
      return;
    }
    this.#erase();
    const lines = [...rows, counts];
    this.#out.write(lines.map((line) => `  ${line}\n`).join(''));
    this.#lines = lines.length;
  }

  #erase(): void {
    if (this.#lines > 0) this.#out.write(`\x1b[${this.#lines}A\x1b[0J`);
    this.#lines = 0;
  }
}

function rowOf(instance: AppInstance): string {
  if (instance.isKilled) return `${instance.name}  killed`;
  const { status } = instance;
  const redis = status?.fleet === undefined ? '' : `  redis ${status.fleet.redis}`;
  return `${instance.name}  ${instance.replicas} replicas${redis}${instance.isLeading ? '  leader' : ''}`;
}
