import type { Crossable, IsWhole } from '../handle/api/crossable.ts';
import type { Argument, Received } from '../handle/api/handle-types.ts';
import type {
  AnyFunction,
  DEPLOYMENT_TYPE,
  InstanceOf,
  MethodNames,
  ReservedMethods,
  Signature,
} from '../handle/api/target.ts';
import type { TypeProblem } from '../handle/api/type-problem.ts';
import type { BoundDeployment } from './bound.ts';
import type { Exposed, Verdict } from './exposable.ts';
import type { GraphNode } from './graph-node.ts';

/** Marks a target that cannot be a deployment. */
export interface NotDeployable<Why extends string> extends TypeProblem<Why> {}

/** Requirements on a target other than being a function or a class. */
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

/** Replaces each expected handle by a bound deployment with the handle's methods; also nested. */
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

/** Arguments of a class's `bind()`. */
type BindArguments<T> = BindEach<ConstructorArguments<T>>;

/** Possible arguments of a node: a value, a node with such a value, or a container with nodes in it. */
type Edge<A> = unknown extends A ? A : GraphNode<A> | EdgeWithin<A>;

type EdgeWithin<A> = A extends { readonly [DEPLOYMENT_TYPE]?: infer I }
  ? typeof DEPLOYMENT_TYPE extends keyof A
    ? A | BoundDeployment<I>
    : EdgesOf<A>
  : EdgesOf<A>;

type EdgesOf<A> =
  IsWhole<A> extends true
    ? A
    : A extends TypeProblem<string> | ReadonlyMap<unknown, unknown> | ReadonlySet<unknown> | Request
      ? A
      : A extends object
        ? { [K in keyof A]: Edge<A[K]> }
        : A;

type Edges<P extends readonly unknown[], Name extends string> = {
  [I in keyof P]: Edge<Argument<P[I], `${Name}(${I extends string ? `arg ${I}` : '...args'})`>>;
};

/** Value type of a node that calls a method with this result. */
type NodeOf<R> = GraphNode<Received<Awaited<R>>>;

/** A method of a bound deployment, ready to become a node of a graph. */
export interface BoundMethod<P extends readonly unknown[], R, Name extends string> {
  /**
   * A node that calls the method once per request. Nodes among the arguments, also nested in arrays and plain objects,
   * are calculated first.
   *
   * @throws ServeError `SERVE_NOT_SERIALIZABLE`, naming the path
   */
  bind(...args: Edges<P, Name>): NodeOf<R>;
}

type BoundMethodOf<M, Name extends string> =
  Signature<M> extends { args: infer P extends readonly unknown[]; result: infer R }
    ? BoundMethod<P, R, Name>
    : never;

type BoundMethods<I> = {
  readonly [K in MethodNames<I> | Extract<keyof I, 'call'>]: BoundMethodOf<Required<I>[K & keyof I], K>;
};

/**
 * A bound deployment of a class, of a function, or of anything that has the methods of an interface. It has one member
 * per remote method, for graphs: `bound.method.bind(node)`.
 */
export type BoundDeploymentOf<T> = BoundDeployment<InstanceOf<T>> &
  BoundMethods<InstanceOf<T>> &
  Exposed<Verdict<InstanceOf<T>>>;

/** `bind()` of a function deployment. */
interface BindFunction<T extends AnyFunction> {
  (): BoundDeploymentOf<T>;
  (...args: T extends (...args: infer P) => unknown ? Edges<P, 'call'> : never): NodeOf<ReturnType<T>>;
}

/** `bind()` of a deployment. */
export type Bind<T> = T extends AnyFunction
  ? BindFunction<T>
  : (...args: BindArguments<T>) => BoundDeploymentOf<T>;
