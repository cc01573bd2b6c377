import { EventEmitter } from 'node:events';
import type { LostCall } from '../handle/routing/lost-calls.ts';
import { inRootContext } from '../time/root-context.ts';
import { fn, oneOf } from '../validation/fields.ts';

/** The events of `serve.on()` by name. */
export interface ServeEvents {
  /** A replica changed its state. */
  replica: {
    app: string;
    deployment: string;
    replica: string;
    state: string;
    reason?: string;
    error?: unknown;
    /** The calls that a replica ran when it died, the oldest first, at most ten. */
    calls?: readonly LostCall[];
  };
  /** A deployment changed its status. */
  deployment: { app: string; deployment: string; status: string; message: string };
  /** The controller changed a number of replicas. */
  scaling: { app: string; deployment: string; from: number; to: number; reason: string };
  /** The leader of the fleet changed; `instance` is undefined while none is known. */
  leader: { instance: string | undefined };
  /**
   * Another instance of the fleet changed its state: `UP` and `DEAD` are the judgement of the fleet, `LINKED` and `UNLINKED` the
   * link from this instance. `EJECTED` means that this instance sends it no calls because links to it fail repeatedly.
   */
  peer: { instance: string; state: 'UP' | 'DEAD' | 'LINKED' | 'UNLINKED' | 'EJECTED'; reason?: string };
  /** A failure that was not reported to any caller. */
  fault: {
    app?: string;
    deployment?: string;
    method?: string;
    requestId?: string;
    reason: string;
    error: unknown;
  };
}

export type ServeEventName = keyof ServeEvents;

const EVENT_NAMES = {
  replica: true,
  deployment: true,
  scaling: true,
  leader: true,
  peer: true,
  fault: true,
} as const satisfies Record<ServeEventName, true>;
const EVENT = oneOf(...(Object.keys(EVENT_NAMES) as ServeEventName[]));
const LISTENER = fn();

/** A typed emitter. A listener that throws does not affect the serving layer or other listeners. */
export class Events {
  readonly #emitter = new EventEmitter();
  readonly #onListenerError: (error: unknown) => void;

  constructor(onListenerError: (error: unknown) => void) {
    this.#onListenerError = onListenerError;
    this.#emitter.setMaxListeners(0);
  }

  /**
   * @returns a function that removes the listener
   * @throws ServeError `SERVE_INVALID_OPTION` for an event that does not exist
   */
  on<K extends ServeEventName>(event: K, listener: (data: ServeEvents[K]) => void): () => void {
    EVENT.parse(event, 'on(event)');
    LISTENER.parse(listener, 'on(listener)');
    this.#emitter.on(event, listener);
    return () => this.#emitter.off(event, listener);
  }

  emit<K extends ServeEventName>(event: K, data: ServeEvents[K]): void {
    for (const listener of this.#emitter.listeners(event)) {
      try {
        // An event belongs to no call, even if a call caused it, so listeners run in the context of no call.
        inRootContext(() => listener(data));
      } catch (error) {
        this.#onListenerError(error);
      }
    }
  }

  close(): void {
    this.#emitter.removeAllListeners();
  }
}
