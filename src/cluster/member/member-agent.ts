import type { MessagePort } from 'node:worker_threads';
import { ServeError } from '../../errors.ts';
import { type Timer, time } from '../../time/clock.ts';
import { messageOf } from '../../values/describe-value.ts';
import type { Declaration } from '../documents.ts';
import type { FromFleet } from '../fleet-control.ts';
import type { FleetTally } from '../fleet-counts.ts';
import type { FleetOptions, MembershipOptions } from '../fleet-options.ts';
import type { LinkEnd } from '../node/events.ts';
import type { MemberPeers } from './member-peers.ts';
import { type OpenMember, openMember } from './open-member.ts';
import { type ToMember, WaitingMessages } from './waiting-messages.ts';

/** First and longest pause after a failure to join, in ms: the app's module that makes the client may need a service that is unreachable. */
const RETRY_MS = 1_000;
const MAX_RETRY_MS = 30_000;

export interface MemberAgentOptions {
  readonly instanceId: string;
  readonly epoch: number;
  readonly fleet: FleetOptions;
  readonly links: MemberPeers;
  readonly tally: FleetTally;
  /** Lends the client of Redis that the app has made. */
  readonly redis: MessagePort | undefined;
  post(message: FromFleet): void;
}

/**
 * The fleet thread's side of the membership: joins with the first declaration, and passes messages on between the host, the links
 * and the fleet.
 */
export class MemberAgent {
  readonly #options: MemberAgentOptions;
  /** Messages that came before the connection to Redis was there. */
  readonly #waiting = new WaitingMessages();
  #declaration: Declaration | undefined = undefined;
  #port: number | undefined = undefined;
  #isOpening = false;
  #open: OpenMember | undefined = undefined;
  /** Open links. Those that were opened before the member existed are announced to it. */
  readonly #linked = new Set<string>();
  #failures = 0;
  #retry: Timer | undefined = undefined;
  #isClosed = false;

  constructor(options: MemberAgentOptions) {
    this.#options = options;
  }

  receive(message: ToMember): void {
    if (this.#open === undefined) {
      if (message.type === 'command') {
        const failure = 'the instance has not joined its fleet yet';
        this.#options.post({ type: 'commandDone', id: message.id, failure });
        return;
      }
      this.#waiting.add(message);
      if (message.type === 'declare') this.#declaration = message.declaration;
      this.#joinOnce();
      return;
    }
    this.#tell(this.#open, message);
  }

  /** The instance listens at this port. */
  listening(port: number): void {
    this.#port = port;
    this.#joinOnce();
  }

  /** A link to a peer can be used. */
  linkUp(peer: string): void {
    this.#linked.add(peer);
    this.#open?.member.linkUp(peer);
  }

  linkDown(peer: string, cause: LinkEnd): void {
    this.#linked.delete(peer);
    this.#open?.member.linkDown(peer, cause);
  }

  /** A frame of the fleet's protocol arrived over the link of a peer. */
  frame(peer: string, frame: unknown): void {
    this.#open?.member.receive(peer, frame);
  }

  close(): void {
    this.#isClosed = true;
    time.cancel(this.#retry);
    this.#open?.close();
  }

  #joinOnce(): void {
    const { membership } = this.#options.fleet;
    if (this.#isOpening || membership === undefined) return;
    if (this.#declaration === undefined || this.#port === undefined) return;
    this.#isOpening = true;
    void this.#join(this.#declaration, this.#port, membership);
  }

  async #join(declaration: Declaration, port: number, membership: MembershipOptions): Promise<void> {
    const { post, ...options } = this.#options;
    try {
      const open = await openMember({
        ...options,
        membership,
        port,
        declaration,
        listener: {
          apply: ({ targets, undecided, cause }) => post({ type: 'apply', targets, undecided, cause }),
          changed: (view) => post({ type: 'view', view }),
          consult: (consultations) => post({ type: 'consult', consultations }),
          member: (id, isAlive) => {
            if (!isAlive) options.links.forget(id);
            post({ type: 'member', id, isAlive });
          },
          commandDone: (id, failure) => post({ type: 'commandDone', id, failure }),
          fault: (cause, message) => post({ type: 'fault', cause, message }),
          left: () => post({ type: 'left' }),
        },
      });
      if (this.#isClosed) {
        open.close();
        return;
      }
      this.#open = open;
      for (const peer of this.#linked) open.member.linkUp(peer);
      for (const message of this.#waiting.take()) this.#tell(open, message);
    } catch (error) {
      const cause = error instanceof ServeError ? error.code : 'membership';
      post({ type: 'fault', cause, message: `the fleet cannot be joined: ${messageOf(error)}` });
      this.#joinLater();
    }
  }

  #joinLater(): void {
    if (this.#isClosed) return;
    const pause = Math.min(MAX_RETRY_MS, RETRY_MS * 2 ** this.#failures++);
    this.#retry = time.after(pause, () => {
      this.#isOpening = false;
      this.#joinOnce();
    });
    this.#retry.unref();
  }

  #tell({ member }: OpenMember, message: ToMember): void {
    switch (message.type) {
      case 'declare':
        member.declare(message.declaration);
        return;
      case 'report':
        member.handle({
          type: 'hostReport',
          loads: message.loads,
          hostLagMs: message.lagMs,
          isReady: message.isReady,
          revertible: message.revertible,
        });
        return;
      case 'demand':
        member.handle({ type: 'demand', deployment: message.key });
        return;
      case 'command':
        member.handle({ type: 'command', command: message.id, change: message.change });
        return;
      case 'advice':
        member.handle(message);
        return;
      case 'leave':
        member.handle({ type: 'close', timeoutMs: message.timeoutMs });
        return;
    }
  }
}
