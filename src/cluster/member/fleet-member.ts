import { isDeepStrictEqual } from 'node:util';
import { now, type Timer, time } from '../../time/clock.ts';
import { messageOf } from '../../values/describe-value.ts';
import { DocumentCodec, declarationHash } from '../document-codec.ts';
import type { Declaration } from '../documents.ts';
import type { FleetTally } from '../fleet-counts.ts';
import { type FleetStore, FleetStoreError, type StoreFailure } from '../fleet-store.ts';
import type {
  Consultation,
  FleetEffect,
  FleetEvent,
  FleetFrame,
  LinkEnd,
  StoreRequest,
} from '../node/events.ts';
import { FleetNode } from '../node/fleet-node.ts';
import type { InstanceIdentity } from '../node/local-instance.ts';
import type { FleetTiming } from '../node/timing.ts';
import type { FleetKeys } from '../redis/keys.ts';
import type { Seal } from '../redis/seal.ts';
import { StoreCalls } from '../store-calls.ts';
import type { FleetView } from './fleet-view.ts';
import { viewOf } from './view-of.ts';

/** The period of the node's ticks, in ms. */
const TICK_MS = 250;

/** The links to the other instances, as the protocol uses them. */
export interface MemberLinks {
  /** Opens a link, unless one is open or on its way. */
  dial(peer: string, address: string): void;
  send(peer: string, frame: FleetFrame): void;
}

/** Numbers of replicas that an instance is to run. */
export type AppliedTargets = Omit<Extract<FleetEffect, { readonly type: 'apply' }>, 'type'>;

/** Receives, on the instance's host, the news of the fleet. */
export interface MemberListener {
  /** The host runs these numbers of replicas from now on. */
  apply(targets: AppliedTargets): void;
  changed(view: FleetView): void;
  /** The autoscaling policies of deployments must be asked. */
  consult(consultations: readonly Consultation[]): void;
  /** The other live instances, by which calls can be served. */
  member(id: string, isAlive: boolean): void;
  commandDone(command: number, failure: string | undefined): void;
  fault(cause: string, message: string): void;
  /** The instance has left the fleet. */
  left(): void;
}

export interface FleetMemberOptions {
  readonly identity: InstanceIdentity;
  readonly declaration: Declaration;
  readonly store: FleetStore;
  readonly keys: FleetKeys;
  readonly seal: Seal;
  readonly timing: FleetTiming;
  readonly links: MemberLinks;
  readonly listener: MemberListener;
  readonly tally: FleetTally;
}

/**
 * An instance's membership of its fleet: carries out what the node of the protocol wants, on the store and over the links, and
 * tells the node what comes back.
 */
export class FleetMember {
  readonly #node: FleetNode;
  readonly #store: FleetStore;
  readonly #calls: StoreCalls;
  readonly #links: MemberLinks;
  readonly #listener: MemberListener;
  readonly #tally: FleetTally;
  readonly #tick: Timer;
  readonly #unhint: () => void;
  #view: FleetView | undefined = undefined;
  #isClosed = false;

  constructor(options: FleetMemberOptions) {
    const { identity, declaration, store, keys, seal, timing, links, listener, tally } = options;
    this.#store = store;
    this.#links = links;
    this.#listener = listener;
    this.#tally = tally;
    this.#calls = new StoreCalls(identity.id, new DocumentCodec(keys, seal), timing, (reason) =>
      tally.redisFailed(reason),
    );
    this.#node = new FleetNode({
      identity,
      declaration,
      declarationHash: declarationHash(declaration),
      timing,
      timestamp: () => Date.now(),
    });
    this.#unhint = store.onHint((hint) => this.handle({ type: 'hint', hint }));
    this.#tick = time.every(TICK_MS, () => this.#onTick());
    this.#tick.unref();
    this.#onTick();
  }

  get view(): FleetView {
    return viewOf(this.#node);
  }

  /** The instance's code declares other apps. */
  declare(declaration: Declaration): void {
    this.handle({ type: 'declared', hash: declarationHash(declaration), declaration });
  }

  linkUp(peer: string): void {
    this.handle({ type: 'linkUp', peer });
  }

  linkDown(peer: string, cause: LinkEnd): void {
    this.handle({ type: 'linkDown', peer, cause });
  }

  /** @param frame as it came over an authenticated link; one of a later version is skipped */
  receive(peer: string, frame: unknown): void {
    if (isFrame(frame)) this.handle({ type: 'frame', peer, frame });
  }

  handle(event: FleetEvent): void {
    if (this.#isClosed) return;
    for (const effect of this.#node.handle(event, now())) this.#carryOut(effect);
  }

  /** Stops without leaving the fleet: the others see the instance die. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    time.cancel(this.#tick);
    this.#unhint();
  }

  #onTick(): void {
    this.handle({ type: 'tick' });
    this.#tellView();
  }

  #tellView(): void {
    const view = viewOf(this.#node);
    if (isDeepStrictEqual(view, this.#view)) return;
    this.#view = view;
    this.#listener.changed(view);
  }

  #carryOut(effect: FleetEffect): void {
    switch (effect.type) {
      case 'store':
        void this.#call(effect.call, effect.request);
        return;
      case 'dial':
        this.#links.dial(effect.peer, effect.address);
        return;
      case 'send':
        this.#links.send(effect.peer, effect.frame);
        return;
      case 'apply':
        this.#listener.apply(effect);
        return;
      case 'member':
        this.#listener.member(effect.id, effect.isAlive);
        return;
      case 'consult':
        this.#listener.consult(effect.consultations);
        return;
      case 'commandDone':
        // Whoever gave the order finds its effect in the view.
        this.#tellView();
        this.#listener.commandDone(effect.command, effect.failure);
        return;
      case 'fault':
        this.#listener.fault(effect.cause, effect.message);
        return;
      case 'closed':
        this.close();
        this.#listener.left();
        return;
    }
  }

  async #call(call: number, request: StoreRequest): Promise<void> {
    let event: FleetEvent;
    try {
      const encoded = this.#calls.encode(request);
      const run = this.#store[encoded.operation] as (request: unknown) => Promise<never>;
      const answer = await run.call(this.#store, encoded.request);
      event = { type: 'stored', call, answer: this.#calls.decode(request, encoded, answer) };
    } catch (error) {
      const failure = failureOf(error);
      this.#tally.redisFailed(failure);
      event = { type: 'storeFailed', call, failure, detail: messageOf(error) };
    }
    this.handle(event);
  }
}

function failureOf(error: unknown): StoreFailure {
  return error instanceof FleetStoreError ? error.failure : 'other';
}

const KINDS: ReadonlySet<unknown> = new Set([
  'hello',
  'status',
  'report',
  'demand',
  'leader',
  'plan',
  'refused',
] satisfies FleetFrame['kind'][]);

/** The link vouches for the sender; the guard only skips what this version of the code does not know. */
function isFrame(frame: unknown): frame is FleetFrame {
  return typeof frame === 'object' && frame !== null && KINDS.has(Reflect.get(frame, 'kind'));
}
