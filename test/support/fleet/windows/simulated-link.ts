import { CallerWindow } from '../../../../src/cluster/peers/windows/caller-window.ts';
import type { HostCaller } from '../../../../src/cluster/peers/windows/host-caller.ts';
import type { World } from '../world.ts';
import { Lane } from './lane.ts';
import type { SimulatedPeerCall } from './simulated-call.ts';
import type { SimulatedHost } from './simulated-host.ts';

/** What a link tells the instance that calls. */
export interface LinkOwner {
  /** Calls may fit that did not fit before: sends waiting calls. */
  drain(): void;
  /** Puts a refused call back at the head of the queue. */
  putBack(call: SimulatedPeerCall): void;
  ended(call: SimulatedPeerCall): void;
}

/** A call at the host. */
interface Open {
  readonly call: SimulatedPeerCall;
  /** Takes the call back while it waits at the host. */
  takeBack: () => boolean;
}

/** One instance's link to the replicas of a peer: both ends, and the frames between them. */
export class SimulatedLink {
  readonly host: SimulatedHost;
  readonly #window = new CallerWindow();
  readonly #world: World;
  readonly #owner: LinkOwner;
  readonly #there: Lane;
  readonly #back: Lane;
  /** Calls that were sent and not answered, at the caller. */
  readonly #sent = new Set<SimulatedPeerCall>();
  /** Admitted calls, at the host. */
  readonly #open = new Set<Open>();
  #caller: HostCaller | undefined = undefined;
  #isCut = false;

  constructor(world: World, host: SimulatedHost, owner: LinkOwner, delayMs: () => number) {
    this.#world = world;
    this.host = host;
    this.#owner = owner;
    this.#there = new Lane(world, delayMs);
    this.#back = new Lane(world, delayMs);
    this.#there.send(() => {
      this.#caller = host.windows.join(
        (size) => this.#back.send(() => this.#told(size)),
        () => 2 * delayMs(),
      );
    });
  }

  get #atHost(): HostCaller {
    if (this.#caller === undefined) throw new Error('the link is not open');
    return this.#caller;
  }

  /** Whether one more call may be sent. */
  get hasRoom(): boolean {
    return this.#window.hasRoom(this.#sent.size);
  }

  /** Whether one more call would run at once, as far as is known. */
  get hasPlace(): boolean {
    return this.#sent.size < this.#window.places;
  }

  /** Calls per call that may be under way, with one more. */
  get score(): number {
    return (this.#sent.size + 1) / this.#window.size;
  }

  send(call: SimulatedPeerCall): void {
    if (!this.hasRoom) throw new Error('a call was sent beyond the window');
    this.#sent.add(call);
    this.#window.taken();
    this.#there.send(() => this.#arrived(call));
  }

  /** Breaks the link: calls that it carries are lost, running calls end unheard. */
  cut(): void {
    this.#isCut = true;
    this.#there.cut();
    this.#back.cut();
    this.#window.reset();
    for (const call of this.#sent) this.#owner.ended(call);
    this.#sent.clear();
    const { windows } = this.host;
    for (const open of this.#open) {
      if (!open.takeBack()) continue;
      windows.ended(this.#atHost, false);
      this.#open.delete(open);
    }
    for (const _ of this.#open) windows.ended(this.#atHost, true);
    if (this.#caller !== undefined) windows.leave(this.#caller);
  }

  #told(size: number): void {
    if (this.#window.told(size, this.#sent.size)) this.#owner.drain();
    this.#decline();
  }

  #decline(): void {
    if (this.#window.declines(this.#sent.size))
      this.#there.send(() => this.host.windows.declined(this.#atHost));
  }

  #arrived(call: SimulatedPeerCall): void {
    const { windows } = this.host;
    const caller = this.#atHost;
    if (!windows.admit(caller)) {
      const size = windows.refusedWith(caller);
      call.refusals++;
      this.#back.send(() => {
        this.#sent.delete(call);
        this.#window.refused(size);
        this.#owner.putBack(call);
      });
      return;
    }
    const open: Open = { call, takeBack: () => false };
    this.#open.add(open);
    open.takeBack = this.host.accept(() => {
      this.host.run(call, () => this.#answer(open));
      windows.begun(caller);
    });
  }

  #answer(open: Open): void {
    this.#open.delete(open);
    if (this.#isCut) return;
    const caller = this.#atHost;
    this.host.windows.ended(caller, true);
    // The answers of a turn leave together, once the host has sent its waiting calls; the window goes in front of them.
    this.#world.after(0, () => {
      const size = this.#isCut ? undefined : this.host.windows.changed(caller);
      this.#back.send(() => {
        if (size !== undefined) this.#window.told(size, this.#sent.size);
        this.#sent.delete(open.call);
        this.#owner.ended(open.call);
        this.#owner.drain();
        this.#decline();
      });
    });
  }
}
