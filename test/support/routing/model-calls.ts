import { hash } from '../../../src/load/hash.ts';
import { machineTime, useTime } from '../../../src/time/clock.ts';
import type { FakeReplica } from './fake-replica.ts';
import { Harness } from './route-harness.ts';

/** Time that a load takes, in ms. */
export const LOAD_MS = 100;

/** The time of the tests, in ms. */
export const time = { at: 1_000 };

/** Makes `time` the time of this thread until it is disposed. */
export function stoppedTime(): Disposable {
  time.at = 1_000;
  return useTime({ ...machineTime, now: () => time.at });
}

/** Says that a replica holds these models, each loaded in 100 ms. @param isFull the next one takes the place of another */
export function hold(replica: FakeReplica, models: readonly string[], isFull = false): void {
  replica.models.keepsModels = true;
  replica.models.loadMs = LOAD_MS;
  replica.models.stalestAt = isFull ? 1 : 0;
  replica.models.advertise(models.map(hash));
}

/** Replicas that hold one model each, with one place. */
export function cluster(...models: string[]): { harness: Harness; replicas: FakeReplica[] } {
  const harness = new Harness();
  const replicas = models.map((model) => {
    const replica = harness.start();
    hold(replica, model === '' ? [] : [model]);
    return replica;
  });
  return { harness, replicas };
}

/** Ends the first call of a replica after so long. */
export function end(replica: FakeReplica | undefined, ms = 0): void {
  time.at += ms;
  replica?.answer(replica.open[0], (call) => call.succeeded(0));
}

/** Lets it be known that calls for a model run for so long. */
export function learn(harness: Harness, replica: FakeReplica, model: string, ms: number): void {
  for (let call = 0; call < 20; call++) {
    harness.call({ model });
    end(replica, ms);
  }
}
