import { deployment } from 'inserve';

/** Work that computes: the sieve of Eratosthenes. */
export class Primes {
  /** The number of primes up to `limit`. */
  count(limit: number): number {
    const isComposite = new Uint8Array(limit + 1);
    let count = 0;
    for (let candidate = 2; candidate <= limit; candidate++) {
      if (isComposite[candidate] === 1) continue;
      count++;
      for (let multiple = candidate * candidate; multiple <= limit; multiple += candidate)
        isComposite[multiple] = 1;
    }
    return count;
  }
}

/** Four replicas in the whole fleet, wherever its instances are. A call may be repeated: it changes nothing. */
export const primes = deployment(Primes, {
  name: 'Primes',
  module: import.meta.url,
  numReplicas: 4,
  idempotent: true,
}).bind();
