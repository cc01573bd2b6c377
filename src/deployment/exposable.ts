import type { IsAny } from '../handle/api/target.ts';
import type { TypeProblem } from '../handle/api/type-problem.ts';

declare const EXPOSURE: unique symbol;

/** Marks an ingress whose class answers neither HTTP nor WebSockets. */
export interface NotExposable<Why extends string> extends TypeProblem<Why> {}

type Why = 'it has neither call(request), fetch(request) nor websocket(socket, request)';

/** Names of the methods that answer HTTP and WebSockets. */
type IngressMethod = 'call' | 'fetch' | 'websocket';

/** Verdict of a deployment's type: it cannot be exposed, or it can or may. */
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
 * stand for any deployment, while not every deployment can be exposed.
 */
interface Exposure<V> {
  judge(verdict: V): void;
}

/** Verdict of a bound deployment's type on its exposure; the property does not exist at run time. */
export interface Exposed<V> {
  readonly [EXPOSURE]: Exposure<V>;
}

/** A bound deployment that answers HTTP or WebSockets according to its type. */
export interface Exposable extends Exposed<'exposable'> {}
