import type { IsAny } from '../handle/api/target.ts';
import type { TypeProblem } from '../handle/api/type-problem.ts';

declare const EXPOSURE: unique symbol;

/** The class of an ingress answers neither HTTP nor WebSockets. */
export interface NotExposable<Why extends string> extends TypeProblem<Why> {}

type Why = 'it has neither call(request), fetch(request) nor websocket(socket, request)';

/** Names of the methods that answer HTTP and WebSockets. */
type IngressMethod = 'call' | 'fetch' | 'websocket';

/** What the type of a deployment tells: that it cannot be exposed, or that it can or may. */
export type Verdict<I> =
  IsAny<I> extends true
    ? 'exposable' | NotExposable<Why>
    : unknown extends I
      ? 'exposable' | NotExposable<Why>
      : [keyof I & IngressMethod] extends [never]
        ? NotExposable<Why>
        : 'exposable' | NotExposable<Why>;

/**
 * Carries a verdict. Parameters of methods are compared both ways, so a deployment of unknown type can be exposed and may
 * be any deployment, and still not every deployment can be exposed.
 */
interface Exposure<V> {
  judge(verdict: V): void;
}

/** What the type of a bound deployment tells of its exposure; nothing is there at run time. */
export interface Exposed<V> {
  readonly [EXPOSURE]: Exposure<V>;
}

/** A bound deployment that answers HTTP or WebSockets, as far as its type tells. */
export interface Exposable extends Exposed<'exposable'> {}
