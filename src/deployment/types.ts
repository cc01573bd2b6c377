import type { Crossable, IsWhole } from '../handle/crossable.ts';
import type { AnyFunction, DEPLOYMENT_TYPE, InstanceOf, ReservedMethods } from '../handle/target.ts';
import type { TypeProblem } from '../handle/type-problem.ts';
import type { BoundDeployment } from './bound.ts';

/** The target cannot be a deployment. */
export interface NotDeployable<Why extends string> extends TypeProblem<Why> {}

/** What a target must be besides a function or a class. */
export type Deployable<T> = Function extends T
  ? unknown
  : ReservedMethods<InstanceOf<T>> extends infer Name extends string
    ? [Name] extends [never]
      ? IfConstructible<T>
      : NotDeployable<`rename its method '${Name}': the name belongs to the handle`>
    : never;

type IfConstructible<T> = [ConstructorArguments<T>] extends [never]
  ? NotDeployable<'its constructor is not public, or it is abstract: add a `static create()` that makes one'>
  : unknown;

/** Parameters of `static create` if it makes instances of the class, else of the constructor; none for a function. */
type ConstructorArguments<T> = T extends { create: (...args: infer A) => infer R; prototype: infer I }
  ? Awaited<R> extends I
    ? A
    : NewArguments<T>
  : NewArguments<T>;

type NewArguments<T> = T extends new (...args: infer A) => unknown ? A : T extends AnyFunction ? [] : never;

/** Where a handle is expected, a bound deployment with its methods is given; also nested. */
type Bindable<A> = unknown extends A
  ? A
  : A extends { readonly [DEPLOYMENT_TYPE]?: infer I }
    ? typeof DEPLOYMENT_TYPE extends keyof A
      ? A | BoundDeployment<I>
      : Nested<A>
    : Nested<A>;

type Nested<A> =
  IsWhole<A> extends true
    ? A
    : A extends TypeProblem<string>
      ? A
      : A extends ReadonlyMap<infer K, infer V>
        ? ReadonlyMap<Bindable<K>, Bindable<V>>
        : A extends ReadonlySet<infer V>
          ? ReadonlySet<Bindable<V>>
          : A extends object
            ? { [K in keyof A]: Bindable<A[K]> }
            : A;

/** A tuple stays a tuple only if it is mapped through a parameter of its own. */
type BindEach<A extends readonly unknown[]> = {
  [I in keyof A]: Bindable<Crossable<A[I], `bind(${I extends string ? `arg ${I}` : '...args'})`>>;
};

/** What `bind()` takes. */
export type BindArguments<T> = BindEach<ConstructorArguments<T>>;

/** A bound deployment of a class, of a function, or of anything that has the methods of an interface. */
export type BoundDeploymentOf<T> = BoundDeployment<InstanceOf<T>>;
