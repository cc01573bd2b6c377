import { FleetStoreError, type Hint, type StoreFailure } from '../../../src/cluster/fleet-store.ts';
import { MemoryFleetState } from '../../../src/cluster/memory-fleet-store.ts';
import type { StoreAnswer, StoreRequest } from '../../../src/cluster/node/events.ts';
import type { StoreCall, StoreCalls } from '../../../src/cluster/store-calls.ts';
import type { World } from './world.ts';

/** The wall clock of the store when a simulation begins. */
const EPOCH = 1_800_000_000_000;
const TIMEOUT_MS = 1_000;

export interface StoreClient {
  readonly id: string;
  readonly calls: StoreCalls;
  onHint(hint: Hint): void;
}

/** The memory store behind a network that delays, loses and refuses. */
export class SimulatedStore {
  readonly #world: World;
  readonly state: MemoryFleetState;
  readonly #clients = new Map<string, StoreClient>();
  /** Instances that cannot reach it. */
  readonly cutOff = new Set<string>();
  /** It accepts calls, and carries them out when it goes on. */
  #frozenUntil = 0;
  isDown = false;
  /** Share of the calls, or of their answers, that are lost. */
  lossRate = 0;
  slowMs = 0;
  /** How far its wall clock is off, in ms. */
  skewMs = 0;
  #restore: (() => void) | undefined = undefined;
  /** Times of the calls, by instance: what Redis would count. */
  readonly callTimes = new Map<string, number[]>();

  constructor(world: World) {
    this.#world = world;
    this.state = new MemoryFleetState(() => Math.round(EPOCH + world.now + this.skewMs));
    this.state.onHint((hint) => {
      for (const client of this.#clients.values())
        if (!this.cutOff.has(client.id)) world.after(this.#latency(), () => client.onHint(hint));
    });
  }

  connect(client: StoreClient): void {
    this.#clients.set(client.id, client);
  }

  disconnect(id: string): void {
    this.#clients.delete(id);
  }

  freeze(ms: number): void {
    this.#frozenUntil = Math.max(this.#frozenUntil, this.#world.now + ms);
  }

  /** Remembers the contents for a later `failOver`. */
  checkpoint(): void {
    this.#restore = this.state.snapshot();
  }

  /** Goes back to the last checkpoint: the writes since then are lost. */
  failOver(): void {
    this.#restore?.();
    this.#restore = undefined;
  }

  call(
    client: StoreClient,
    request: StoreRequest,
    done: (answer: StoreAnswer | undefined, failure: StoreFailure) => void,
  ): void {
    const times = this.callTimes.get(client.id) ?? [];
    times.push(this.#world.now);
    this.callTimes.set(client.id, times);
    let isDone = false;
    const settle = (answer: StoreAnswer | undefined, failure: StoreFailure): void => {
      if (isDone) return;
      isDone = true;
      done(answer, failure);
    };
    this.#world.after(TIMEOUT_MS, () => settle(undefined, 'timeout'));
    if (this.isDown) {
      this.#world.after(this.#latency(), () => settle(undefined, 'unreachable'));
      return;
    }
    if (this.cutOff.has(client.id) || this.#world.random() < this.lossRate) return;
    const call = client.calls.encode(request);
    const wait = Math.max(this.#latency(), this.#frozenUntil - this.#world.now);
    this.#world.after(wait, () => this.#execute(client, request, call, settle));
  }

  #execute(
    client: StoreClient,
    request: StoreRequest,
    call: StoreCall,
    settle: (answer: StoreAnswer | undefined, failure: StoreFailure) => void,
  ): void {
    if (this.isDown || this.cutOff.has(client.id)) return;
    if (this.#frozenUntil > this.#world.now) {
      this.#world.after(this.#frozenUntil - this.#world.now, () =>
        this.#execute(client, request, call, settle),
      );
      return;
    }
    let answer: StoreAnswer | undefined;
    let failure: StoreFailure = 'other';
    try {
      answer = client.calls.decode(request, call, this.state.run(call.operation, call.request));
    } catch (error) {
      if (!(error instanceof FleetStoreError)) throw error;
      failure = error.failure;
    }
    if (this.#world.random() < this.lossRate) return;
    this.#world.after(this.#latency(), () => settle(answer, failure));
  }

  #latency(): number {
    return 0.1 - 0.3 * Math.log(1 - this.#world.random()) + this.slowMs;
  }
}
