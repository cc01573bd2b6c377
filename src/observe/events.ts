import { EventEmitter } from 'node:events';
import type { LostCall } from '../handle/routing/lost-calls.ts';
import { inRootContext } from '../time/root-context.ts';

/** What `serve.on()` tells, by event name. */
export interface ServeEvents {
  /** A replica changed its state. */
  replica: {
    app: string;
    deployment: string;
    replica: string;
    state: string;
    reason?: string;
    error?: unknown;
    /** Of one that died: the calls that it ran, the oldest first, at most ten. */
    calls?: readonly LostCall[];
  };
  /** A deployment changed its status. */
  deployment: { app: string; deployment: string; status: string; message: string };
  /** The controller changed a number of replicas. */
  scaling: { app: string; deployment: string; from: number; to: number; reason: string };
  leader: { instance: string | undefined };
  peer: { instance: string; state: string };
  /** Something failed that no caller was told. */
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

/** Typed, and safe: a listener that throws is the app's problem, never the serving layer's. */
export class Events {
  readonly #emitter = new EventEmitter();
  readonly #onListenerError: (error: unknown) => void;

  constructor(onListenerError: (error: unknown) => void) {
    this.#onListenerError = onListenerError;
    this.#emitter.setMaxListeners(0);
  }

  /** @returns takes the listener away */
  on<K extends ServeEventName>(event: K, listener: (data: ServeEvents[K]) => void): () => void {
    this.#emitter.on(event, listener);
    return () => this.#emitter.off(event, listener);
  }

  emit<K extends ServeEventName>(event: K, data: ServeEvents[K]): void {
    for (const listener of this.#emitter.listeners(event)) {
      try {
        // What happens to replicas is no call's doing, even where a call was the occasion.
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
