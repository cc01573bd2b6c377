import {
  type BoundDeployment,
  createServe,
  type DeploymentHandle,
  type DeploymentStream,
  deployment,
  serve,
} from 'inserve';
import type { Equal, Expect } from './expect.ts';

declare class Model {
  call(text: string): Promise<number>;
  embed(text: string, options?: { dimensions: number }): Float32Array;
  compare(one: string, other: string): number;
  ping(): 'pong';
  words(text: string): AsyncGenerator<string>;
  inspect(request: Request): number;
  onEach(callback: () => void): void;
  untyped(value: ReturnType<typeof JSON.parse>): ReturnType<typeof JSON.parse>;
}
declare const handle: DeploymentHandle<typeof Model>;
declare const texts: string[];
declare const later: AsyncIterable<string>;

/** What `for await` gets from an iterable. */
type Each<I> = I extends AsyncIterable<infer T> ? T : never;

export function options(): void {
  const other = handle.options({ timeoutMs: 100, priority: 'sheddable', signal: AbortSignal.timeout(1) });
  void (true satisfies Equal<typeof other, DeploymentHandle<typeof Model>>);
  handle.options({ tenant: 'a' }).options({ tenant: undefined }).embed.remote('a');
  // @ts-expect-error no such option
  handle.options({ timeout: 100 });
  // @ts-expect-error no such priority
  handle.options({ priority: 'high' });
  // @ts-expect-error a handle is frozen
  handle.embed = handle.options({}).embed;
}

export function maps(): void {
  const vectors = handle.embed.map(texts, { concurrency: 4, ordered: false });
  const numbers = handle.map(later);
  const settled = handle.map(texts, { settle: true });
  const notSettled = handle.map(texts, { settle: false });
  const perhaps = handle.map(texts, { settle: texts.length > 1 });
  const streams = handle.words.map(texts);
  const untyped = handle.untyped.map(texts);
  const pongs = handle.ping.map([undefined]);
  const fromResponses = handle.map([handle.words, handle].map(() => deployedText.remote()));
  void ([true, true, true, true, true, true, true, true, true] satisfies [
    Equal<Each<typeof vectors>, Float32Array>,
    Equal<Each<typeof numbers>, number>,
    Equal<Each<typeof settled>, PromiseSettledResult<number>>,
    Equal<Each<typeof notSettled>, number>,
    Equal<Each<typeof perhaps>, number | PromiseSettledResult<number>>,
    Equal<Each<typeof streams>, DeploymentStream<string>>,
    Equal<Each<typeof untyped>, ReturnType<typeof JSON.parse>>,
    Equal<Each<typeof pongs>, 'pong'>,
    Equal<Each<typeof fromResponses>, number>,
  ]);
  // @ts-expect-error items of another type
  handle.map([1, 2]);
  // @ts-expect-error not an iterable
  handle.map(1);
  // @ts-expect-error it needs two arguments
  handle.compare.map(texts);
  // @ts-expect-error a function cannot cross a thread
  handle.onEach.map([() => {}]);
  // @ts-expect-error no such option
  handle.map(texts, { parallel: 2 });
}
declare const deployedText: DeploymentHandle<() => string>;

export async function broadcasts(): Promise<void> {
  const all = handle.broadcast('embed', 'a', { dimensions: 2 });
  const streams = handle.broadcast('words', 'a');
  void ([true, true, true, true] satisfies [
    Equal<Awaited<typeof all>, Float32Array[]>,
    Equal<Awaited<ReturnType<typeof all.settled>>, PromiseSettledResult<Float32Array>[]>,
    Equal<Awaited<typeof streams>, DeploymentStream<string>[]>,
    Equal<Awaited<ReturnType<typeof broadcastCall>>, number[]>,
  ]);
  // @ts-expect-error no such method
  handle.broadcast('embod', 'a');
  // @ts-expect-error another type
  handle.broadcast('embed', 1);
  // @ts-expect-error an argument is missing
  handle.broadcast('compare', 'a');
  // @ts-expect-error responses are not resolved for it
  handle.broadcast('embed', deployedText.remote());
  // @ts-expect-error a request is read once
  handle.broadcast('inspect', new Request('http://localhost'));
  // @ts-expect-error a function cannot cross a thread
  handle.broadcast('onEach', () => {});
}
const broadcastCall = () => handle.broadcast('call', 'a');

export async function ofServe(bound: BoundDeployment<typeof Model>): Promise<void> {
  await using other = createServe({ version: '1' });
  const byName = serve.handle<typeof Model>('Model', { app: 'main' });
  const byBound = serve.handle(bound);
  const byInterface = other.handle<{ embed(text: string): Float32Array }>('Model');
  const ran = await other.run(bound, { name: 'a', routePrefix: null });
  void ([true, true, true, true] satisfies [
    Equal<typeof byName, DeploymentHandle<typeof Model>>,
    Equal<typeof byBound, DeploymentHandle<typeof Model>>,
    Equal<typeof ran, DeploymentHandle<typeof Model>>,
    Equal<keyof typeof byInterface & string, 'embed' | 'options' | 'broadcast'>,
  ]);
  // @ts-expect-error not bound yet
  serve.handle(deployment(Model));
  // @ts-expect-error no such option
  await other.run(bound, { prefix: '/' });
  // @ts-expect-error no option of the instance
  createServe({ cpus: 2 });
}

/** Where fewer methods are asked for, a handle with more of them fits. */
export const asInterface: DeploymentHandle<{ embed(text: string): Float32Array }> = handle;
// @ts-expect-error it has no such method
export const asAnother: DeploymentHandle<{ translate(text: string): string }> = handle;

export type EachFunctionHasItsOwnHandle = [
  Expect<
    Equal<DeploymentHandle<(text: string) => number>, DeploymentHandle<{ call: (text: string) => number }>>
  >,
];

export function deploymentOptions(): void {
  deployment(Model, { numReplicas: 2, idempotent: ['embed'], priority: 'sheddable', userConfig: { a: 1 } })
    .options({ name: 'Other', backpressure: { statusCode: 429, retryAfterMs: 'auto' } })
    .bind();
  // @ts-expect-error no such option
  deployment(Model, { replicas: 2 });
  // @ts-expect-error another type
  deployment(Model, { numReplicas: '2' });
  // @ts-expect-error one of two
  deployment(Model).options({ backpressure: { statusCode: 500 } });
}
