import {
  type DeploymentHandle,
  type DeploymentResponse,
  type DeploymentStream,
  deployment,
  serve,
} from 'inserve';
import type { Equal, Expect, Gives } from './expect.ts';

export const summarize = deployment(function summarize(text: string, words = 10): string {
  return text.split(' ', words).join(' ');
});
export const later = deployment(async (ids: readonly number[]) => new Set(ids), { name: 'later' });
export const count = deployment(function* count(to: number) {
  for (let at = 0; at < to; at++) yield at;
});
export const stream = deployment(async function* stream(...words: string[]) {
  yield* words;
});
export const anything = deployment((value: ReturnType<typeof JSON.parse>) => value, { name: 'anything' });

const h = {
  summarize: serve.handle(summarize.bind()),
  later: serve.handle(later.bind()),
  count: serve.handle(count.bind()),
  stream: serve.handle(stream.bind()),
  anything: serve.handle(anything.bind()),
};

export type Results = [
  Expect<Equal<Gives<typeof h.summarize>, DeploymentResponse<string>>>,
  Expect<Equal<Gives<typeof h.later>, DeploymentResponse<Set<number>>>>,
  Expect<Equal<Gives<typeof h.count>, DeploymentStream<number>>>,
  Expect<Equal<Gives<typeof h.stream>, DeploymentStream<string>>>,
  Expect<Equal<Gives<typeof h.anything>, DeploymentResponse<ReturnType<typeof JSON.parse>>>>,
];

export async function calls(): Promise<void> {
  const text: string = await h.summarize.remote('a b c');
  await h.summarize.remote(h.summarize.remote('a b c', 2), 1);
  for await (const set of h.later.map([[1], [2, 3]])) void (set satisfies Set<number>);
  for await (const word of h.stream.remote('a', 'b')) void (word satisfies string);
  // @ts-expect-error a handle to a function has no other methods
  h.summarize.run.remote();
  // @ts-expect-error another type
  h.count.remote('3');
  // @ts-expect-error a stream is no argument
  h.summarize.remote(h.stream.remote('a'));
  void text;
}

export type ByTypeOnly = Expect<
  Equal<
    DeploymentHandle<(text: string) => Promise<number>>['remote'],
    DeploymentHandle<{ call(text: string): number }>['remote']
  >
>;
