import type { StandardTypedV1 } from '@standard-schema/spec';
import type { InstanceOf, MethodNames, Signature } from '../handle/api/target.ts';
import type { TypeProblem } from '../handle/api/type-problem.ts';
import type { MethodSchemas } from '../validation/schema.ts';

/** Marks a schema that does not agree with its method. */
export interface SchemaMismatch<Why extends string> extends TypeProblem<Why> {}

/**
 * Type of `schemas` for a target: methods of the target, and schemas that agree with them. The value that a schema produces
 * must have the type that the method asks for, or callers are promised. The values that it accepts may be narrower than the
 * type (an enum where the method takes any string), or wider (a default), but not another type.
 */
export type MatchingSchemas<T, S> = {
  [K in keyof S]: K extends RemoteNames<InstanceOf<T>>
    ? MatchingMethod<Signature<Required<InstanceOf<T>>[K]>, S[K], K & string>
    : SchemaMismatch<`the target has no remote method '${K & string}'`>;
};

type RemoteNames<I> = MethodNames<I> | Extract<keyof I, 'call'>;

type MatchingMethod<M, S, Name extends string> = M extends {
  args: infer P extends readonly unknown[];
  result: infer R;
}
  ? {
      [Side in keyof S]: Side extends 'input'
        ? MatchingInput<Value<P, Name>, S[Side], Name>
        : Side extends 'output'
          ? MatchingOutput<Exclude<Given<Awaited<R>>, Response>, S[Side], Name>
          : SchemaMismatch<'a method has input and output'>;
    }
  : MethodSchemas;

/** Input of the input schema: the argument, or the list of several. At run time the method's `length` decides. */
type Value<P extends readonly unknown[], Name extends string> = number extends P['length']
  ? SchemaMismatch<`${Name}() takes any number of arguments: let it take one list`>
  : P extends readonly []
    ? undefined
    : P extends readonly [infer A]
      ? A
      : P extends readonly [(infer A)?]
        ? A | undefined
        : P['length'] extends Required<P>['length']
          ? P
          : SchemaMismatch<`${Name}() has optional parameters: let the schema of a whole object give the defaults`>;

/** Input of the output schema: the result, or each value of a stream. */
type Given<R> = unknown extends R
  ? R
  : R extends AsyncIterable<infer Y> | Generator<infer Y, unknown, never>
    ? Y
    : R;

type MatchingInput<V, S, Name extends string> = [V] extends [SchemaMismatch<string>]
  ? V
  : S extends StandardTypedV1
    ? [StandardTypedV1.InferOutput<S>] extends [V]
      ? Comparable<V, StandardTypedV1.InferInput<S>> extends true
        ? unknown
        : SchemaMismatch<`${Name}() is called with something else than its input schema accepts`>
      : SchemaMismatch<`${Name}() does not take what its input schema gives`>
    : unknown;

type MatchingOutput<R, S, Name extends string> = S extends StandardTypedV1
  ? Comparable<R, StandardTypedV1.InferInput<S>> extends true
    ? [StandardTypedV1.InferOutput<S>] extends [R]
      ? unknown
      : SchemaMismatch<`the output schema of ${Name}() gives something else than the method`>
    : SchemaMismatch<`${Name}() gives something else than its output schema accepts`>
  : unknown;

type Comparable<A, B> = [A] extends [B] ? true : [B] extends [A] ? true : false;
