import { describe, expect, test } from 'vitest';
import { type AutoscalingOptions, autoscalingOf } from '../deployment/options/autoscaling-options.ts';
import { replicasForLoad } from './autoscale.ts';
import { LoadScaler } from './load-scaler.ts';

/** One deployment, sampled every 250 ms. */
class Deployment {
  readonly #config;
  readonly #scaler: LoadScaler;
  target: number;
  #at = 0;
  #ended = 0;

  constructor(options: AutoscalingOptions, target: number) {
    const config = autoscalingOf(undefined, { maxReplicas: 40, ...options });
    if (config === undefined) throw new Error('not autoscaled');
    this.#config = config;
    this.#scaler = new LoadScaler(config, target);
    this.target = target;
  }

  get inputs() {
    return this.#scaler.inputs;
  }

  sample(ongoing: number, running: number = this.target, queued = 0): number {
    this.#at += 250;
    const bounds = { min: this.#config.minReplicas, max: this.#config.maxReplicas };
    // Each call takes 100 ms.
    this.#ended += ongoing * 2.5;
    this.#scaler.sample({ at: this.#at, running, queued, ongoing, ended: this.#ended }, bounds);
    const { inputs } = this.#scaler;
    const wish = inputs === undefined ? 0 : replicasForLoad(this.#config, this.target, inputs);
    this.target = this.#scaler.decide(this.target, wish)?.to ?? this.target;
    return this.target;
  }

  sampleFor(ms: number, ongoing: number, running?: number): void {
    for (let left = ms; left > 0; left -= 250) this.sample(ongoing, running);
  }
}

describe('a load that becomes five times as high', () => {
  test.each([250, 500, 1_000, 5_000])(
    'is met before the up-delay, with replicas that start in %d ms',
    (ms) => {
      const deployment = new Deployment({}, 2);
      deployment.sampleFor(10_000, 4);
      expect(deployment.target).toBe(2);
      const targets = [2];
      for (let at = 250; at <= 3_000; at += 250) {
        // Those that were wanted so long ago run by now.
        const running = targets[Math.max(0, targets.length - 1 - ms / 250)];
        targets.push(deployment.sample(20, running));
      }
      expect(targets.at(-1)).toBe(10);
      // And no more than that.
      deployment.sampleFor(10_000, 20);
      expect(deployment.target).toBe(10);
    },
  );
});

test('a deployment that was scaled to zero does not panic once its first replica runs', () => {
  const deployment = new Deployment({ minReplicas: 0 }, 0);
  deployment.sampleFor(5_000, 0, 0);
  expect(deployment.sample(0, 0, 1)).toBe(1);
  deployment.sample(1, 1);
  expect(deployment.inputs?.panicRunning).toBe(1);
  expect(deployment.target).toBe(1);
});

test('a replica fewer for a moment is no reason to panic later', () => {
  const deployment = new Deployment({}, 4);
  deployment.sampleFor(3_000, 8, 4);
  deployment.sample(8, 3);
  expect(deployment.inputs?.panicRunning).toBe(3);
  deployment.sampleFor(3_000, 8, 4);
  expect(deployment.inputs?.panicRunning).toBe(4);
  expect(deployment.target).toBe(4);
});
