import { deployment } from 'inserve';

/** State in a replica: every request meets the same object, so there is no lock and no store. */
export class Counter {
  #count = 0;

  /** What an HTTP request to the deployment itself runs. */
  call() {
    return this.incr();
  }

  get() {
    return { count: this.#count };
  }

  incr() {
    this.#count += 1;
    return { count: this.#count };
  }

  decr() {
    this.#count -= 1;
    return { count: this.#count };
  }
}

// One replica: two would count apart.
export const counter = deployment(Counter, {
  name: 'Counter',
  numReplicas: 1,
  module: import.meta.url,
}).bind();
