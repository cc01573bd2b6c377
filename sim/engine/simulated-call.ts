import { Call } from '../../src/handle/call/call.ts';
import { outcomeOf } from '../../src/handle/call/outcome.ts';
import type { Route } from '../../src/handle/routing/route.ts';
import type { Errand } from './work.ts';

/** A call that reports how it ended. */
export class SimulatedCall extends Call {
  /** `ok`, or the kind of the failure; undefined while it is open. */
  outcome: string | undefined = undefined;
  readonly #onEnded: (call: SimulatedCall) => void;

  constructor(route: Route, method: string, errand: Errand, onEnded: (call: SimulatedCall) => void) {
    super(route, method);
    this.args = [errand];
    this.#onEnded = onEnded;
  }

  protected override onResult(): void {
    this.#end('ok');
  }

  protected override onError(error: unknown): void {
    this.#end(outcomeOf(error));
  }

  protected override onOpen(): void {}
  protected override onChunk(): void {}

  protected override onEnd(): void {
    this.#end('ok');
  }

  #end(outcome: string): void {
    this.outcome = outcome;
    this.#onEnded(this);
  }
}
