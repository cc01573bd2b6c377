import type { Multiplexed } from './model-loader.ts';

/** Carries the deployment's type through handles and bound deployments; the property does not exist at run time. */
export declare const DEPLOYMENT_TYPE: unique symbol;

/** Names that a deployment's class may not use for methods: they belong to the handle. */
export type ReservedName = 'remote' | 'options' | 'broadcast' | 'map' | 'then' | 'bind';

/** Names that never become members of a handle. */
type HiddenName =
  | ReservedName
  | 'constructor'
  | 'reconfigure'
  | 'checkHealth'
  | 'recordAutoscalingStats'
  | 'fetch'
  | 'websocket'
  | 'call'
  | `_${string}`;

/** The widest function type: parameters are compared the other way round. */
export type AnyFunction = (...args: never) => unknown;

export type IsAny<T> = 0 extends 1 & T ? true : false;

/** The instance behind a deployment: of a class, a function as `call`, or an interface given directly. */
export type InstanceOf<T> =
  IsAny<T> extends true ? T : T extends AnyFunction ? { call: T } : T extends { prototype: infer I } ? I : T;

/** Whether a member is a method. A member of type `any`, a nullable member and a model loader are not methods. */
type IsMethod<M> =
  IsAny<M> extends true
    ? false
    : [M] extends [Multiplexed<unknown>]
      ? false
      : [M] extends [AnyFunction]
        ? true
        : false;

/** Public methods among `Names`; `keyof` hides the private and protected ones, `Required` the `?` of the others. */
type MethodsAmong<I, Names> = keyof {
  [K in keyof I & Names & string as IsMethod<Required<I>[K]> extends true ? K : never]: K;
};

/** Names of the remote methods other than `call`. */
export type MethodNames<I> = Exclude<MethodsAmong<I, string>, HiddenName>;

/** Names of the methods that a class must not have. */
export type ReservedMethods<I> = MethodsAmong<I, ReservedName>;

/** Parameters and result of a method; of an overloaded method, those of the last signature. */
export type Signature<M> = M extends (...args: infer P) => infer R ? { args: P; result: R } : never;
