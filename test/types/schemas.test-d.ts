import {
  type batch,
  type DeploymentHandle,
  deployment,
  formRequest,
  type HttpAdapter,
  type JsonTensor,
  jsonRequest,
  jsonToTensor,
  type Schema,
  type SchemaOutput,
  textRequest,
} from 'inserve';
import type { Equal, Expect } from './expect.ts';

declare class Model {
  call(input: { text: string; top: number }): { words: string[] } | Response;
  two(a: number, b: string): Promise<number>;
  none(): string;
  kind(kind: string): string;
  maybe(text?: string): string;
  defaults(text: string, top?: number): string;
  rest(...texts: string[]): string;
  stream(to: number): AsyncGenerator<{ n: number }>;
  sync(to: number): Generator<number>;
  untyped(value: ReturnType<typeof JSON.parse>): ReturnType<typeof JSON.parse>;
  image(bytes: Uint8Array): void;
  double: ReturnType<typeof makeBatch>;
  reconfigure(config: unknown): void;
}
declare const makeBatch: () => ReturnType<typeof batch<number, number>>;

/** Stands for a schema of any library; those of real ones are in test/fixtures/http/schemas.ts. */
declare function of<I, O = I>(): Schema<I, O>;

interface Given {
  text: string;
  top: number;
}
const Input = of<{ text: string; top?: number | undefined }, Given>();
const Output = of<{ words: string[] }>();

export const described = deployment(Model, {
  numReplicas: 2,
  schemas: {
    call: { input: Input, output: Output },
    two: { input: of<[number, string]>(), output: of<number>() },
    none: { output: of<string>() },
    kind: { input: of<'a' | 'b'>(), output: of<'a' | 'b'>() },
    maybe: { input: of<string | undefined>() },
    stream: { input: of<number>(), output: of<{ n: number }>() },
    sync: { output: of<number>() },
    untyped: { input: of<{ a: string }>(), output: of<unknown>() },
    image: { input: of<Uint8Array<ArrayBuffer>>() },
    double: { input: of<number>(), output: of<number>() },
  },
});
export type StaysTyped = Expect<Equal<Parameters<DeploymentHandle<typeof Model>['none']['remote']>, []>>;

export const ofFunction = deployment((input: { text: string }) => input.text.length, {
  name: 'length',
  schemas: { call: { input: of<{ text: string }>(), output: of<number>() } },
});
export const withoutSchemas = deployment(Model, { numReplicas: 2 });
export const emptySchemas = deployment(Model, { schemas: {} });

export function mistakes(): void {
  // @ts-expect-error the method takes something else than the schema gives
  deployment(Model, { schemas: { two: { input: of<[number, number]>() } } });
  // @ts-expect-error the value of one parameter, not a list
  deployment(Model, { schemas: { stream: { input: of<[number]>() } } });
  // @ts-expect-error typed callers give numbers, the schema accepts text
  deployment(Model, { schemas: { stream: { input: of<string, number>() } } });
  // @ts-expect-error the result is no text
  deployment(Model, { schemas: { two: { output: of<string>() } } });
  // @ts-expect-error callers are promised numbers
  deployment(Model, { schemas: { two: { output: of<number, string>() } } });
  // @ts-expect-error a misspelt method
  deployment(Model, { schemas: { tow: { output: of<number>() } } });
  // @ts-expect-error a misspelt side
  deployment(Model, { schemas: { two: { ouput: of<number>() } } });
  // @ts-expect-error a lifecycle hook is no remote method
  deployment(Model, { schemas: { reconfigure: { input: of<unknown>() } } });
  // @ts-expect-error optional parameters
  deployment(Model, { schemas: { defaults: { input: of<[string, number?]>() } } });
  // @ts-expect-error any number of parameters
  deployment(Model, { schemas: { rest: { input: of<string[]>() } } });
  // @ts-expect-error no schema
  deployment(Model, { schemas: { two: { output: 'number' } } });
  // @ts-expect-error where replicas would not find them
  described.options({ schemas: {} });
}

export async function helpers(request: Request): Promise<void> {
  const value = await jsonRequest(request, Input);
  type OfSchema = Expect<Equal<typeof value, Given>>;
  const count = await textRequest(request, of<string, number>());
  type OfText = Expect<Equal<typeof count, number>>;
  const fields = await formRequest(request, of<{ title: string }>());
  type OfForm = Expect<Equal<typeof fields, { title: string }>>;
  const bare = await jsonRequest(request);
  type Bare = Expect<Equal<typeof bare, unknown>>;
  const tensor = await jsonToTensor(request);
  if (tensor.dtype === 'int64') tensor.array satisfies BigInt64Array;
  const checks: [OfSchema, OfText, OfForm, Bare] = [true, true, true, true];
  void checks;
}

export const adapters: HttpAdapter[] = [jsonRequest, textRequest, formRequest, jsonToTensor, Input, Output];
export const typed: HttpAdapter<Given> = Input;
export const ofTensor: HttpAdapter<JsonTensor> = jsonToTensor;
// @ts-expect-error the schema gives something else
export const wrong: HttpAdapter<{ text: string }> = Output;
export type Gives = Expect<Equal<SchemaOutput<typeof Input>, Given>>;
