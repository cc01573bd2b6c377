import {
  batch,
  batchError,
  type DeploymentHandle,
  type DeploymentResponse,
  type DeploymentStream,
  END_OF_STREAM,
  multiplexed,
} from 'inserve';
import type { Equal, Expect, Gives, Takes } from './expect.ts';

class Detector {
  detect = batch({ maxBatchSize: 16, sizeOf: (clip) => clip.length }, async (clips: Float32Array[]) =>
    clips.map((clip) => ({ speech: clip.length > 0 })),
  );
  sync = batch({}, (texts: string[]) => texts.map(Number));
  partly = batch({ bisectOnError: true }, async (texts: string[]) =>
    texts.map((text) => (text === '' ? batchError(new RangeError('empty')) : text.length)),
  );
  words = batch({}, async function* (texts: string[]) {
    yield texts.map((text) => text.length);
  });
  /** A stream may end before the others: its callers see values only. */
  letters = batch({}, async function* (texts: string[]) {
    yield texts.map((text) => text[0] ?? END_OF_STREAM);
  });
  callbacks = batch({}, (items: (() => void)[]) => items.map(String));
  model = multiplexed({ maxModelsPerReplica: 2 }, async (id: string) => ({ id }));
}
type H = DeploymentHandle<typeof Detector>;
type Or<T> = T | DeploymentResponse<T>;

export type FieldsAreMethodsOfOneItem = [
  Expect<
    Equal<
      Exclude<keyof H & string, 'options' | 'broadcast'>,
      'detect' | 'sync' | 'partly' | 'words' | 'letters' | 'callbacks'
    >
  >,
  Expect<Equal<Takes<H['detect']>, [item: Or<Float32Array>]>>,
  Expect<Equal<Gives<H['detect']>, DeploymentResponse<{ speech: boolean }>>>,
  Expect<Equal<Gives<H['sync']>, DeploymentResponse<number>>>,
  Expect<Equal<Gives<H['partly']>, DeploymentResponse<number>>>,
  Expect<Equal<Gives<H['words']>, DeploymentStream<number>>>,
  Expect<Equal<Gives<H['letters']>, DeploymentStream<string>>>,
];

declare const handle: H;
export async function calls(): Promise<void> {
  const { speech } = await handle.detect.remote(new Float32Array(1));
  for await (const one of handle.detect.map([new Float32Array(1)])) void (one.speech satisfies boolean);
  // @ts-expect-error one item, not a list
  handle.detect.remote([new Float32Array(1)]);
  // @ts-expect-error a function cannot cross a thread
  handle.callbacks.remote(() => {});
  // @ts-expect-error it loads models, for this class only
  handle.model.remote('a');
  // @ts-expect-error setters stay in the replica
  handle.detect.setMaxBatchSize(2);
  void speech;
}

/** Inside of the class. */
export async function inTheReplica(detector: Detector): Promise<void> {
  const results: { speech: boolean }[] = await Promise.all([detector.detect(new Float32Array(1))]);
  const model: { id: string } = await detector.model();
  for await (const word of detector.words('a')) void (word satisfies number);
  detector.sync.setMaxBatchSize(2);
  // @ts-expect-error another type
  detector.sync(1);
  // @ts-expect-error no such option
  batch({ size: 2 }, (texts: string[]) => texts);
  void [results, model];
}
