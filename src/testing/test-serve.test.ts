import { describe, expect, test } from 'vitest';
import { silent } from '../../test/support/silent.ts';
import { batch } from '../batching/batch.ts';
import { deployment } from '../deployment/deployment.ts';
import { loadTarget } from '../deployment/registry.ts';
import { dag } from '../graph/dag.ts';
import type { InputNode } from '../graph/input-node.ts';
import type { DeploymentHandle } from '../handle/api/handle-types.ts';
import { fakeDeployment } from './fake-deployment.ts';
import { faulty } from './faulty.ts';
import { testServe } from './test-serve.ts';

class Model {
  score(text: string): number {
    return text.length;
  }

  async *letters(text: string): AsyncGenerator<string> {
    yield* text;
  }

  double = batch({ maxBatchSize: 4 }, async (items: number[]) => items.map((item) => item * 2));
}

class Front {
  readonly #models: DeploymentHandle<typeof Model>[];

  constructor(parts: { models: DeploymentHandle<typeof Model>[] }) {
    this.#models = parts.models;
  }

  call(text: string): Promise<number[]> {
    return Promise.all(this.#models.map((model) => model.score.remote(text)));
  }

  double(value: number): Promise<number[]> {
    return Promise.all(this.#models.map((model) => model.double.remote(value)));
  }

  async *letters(text: string): AsyncGenerator<string> {
    for (const model of this.#models) yield* model.letters.remote(text);
  }
}

const module = import.meta.url;
const Models = deployment(Model, { name: 'Model', module });
const [one, other] = [Models.bind(), Models.bind()];
const front = deployment(Front, { name: 'Front', module }).bind({ models: [one, other] });
const quiet = { logger: silent };

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}

describe('testServe', () => {
  test('runs an app in the thread of the test, under a clock that stands still', async () => {
    await using app = await testServe(front, { ...quiet, name: 'app' });
    expect(await app.handle.remote('abc')).toEqual([3, 3]);
    expect(Object.keys(app.serve.status().apps)).toEqual(['app']);
    const before = app.clock.now();
    await app.clock.advance(60_000);
    expect(app.clock.now() - before).toBe(60_000);
  });

  test('replaces a deployment wherever it is bound, and no other one of its class', async () => {
    const fake = fakeDeployment<typeof Model>({ score: () => -1, letters: async function* () {} });
    await using app = await testServe(front, { ...quiet, replace: [[other, fake]] });
    expect(await app.handle.remote('abc')).toEqual([3, -1]);
    expect(await all(app.handle.letters.remote('ab'))).toEqual(['a', 'b']);
    await expect(app.handle.double.remote(1)).rejects.toMatchObject({ code: 'SERVE_UNKNOWN_METHOD' });
  });

  test('values to a fake are copied and checked', async () => {
    const fake = fakeDeployment<(value: object) => unknown>({ call: (value) => ({ value, of: () => 1 }) });
    await using app = await testServe(fake, quiet);
    await expect(app.handle.remote({})).rejects.toMatchObject({ code: 'SERVE_NOT_SERIALIZABLE' });
  });

  test('replaces a deployment that nodes of a graph call', async () => {
    const graph = dag((input: InputNode<string>) => one.score.bind(input));
    const fake = fakeDeployment<typeof Model>({ score: () => -1 });
    await using app = await testServe(graph, { ...quiet, replace: [[one, fake]] });
    expect(await app.handle.predict.remote('abc')).toBe(-1);
  });

  test('refuses a deployment that is not bound into the app', async () => {
    await expect(testServe(front, { replace: [[Models.bind(), other]] })).rejects.toMatchObject({
      code: 'SERVE_INVALID_OPTION',
      message: expect.stringContaining('bound into the app'),
    });
  });

  test('two instances side by side have deployments of their own', async () => {
    const [a, b] = [
      fakeDeployment<typeof Model>({ score: () => 1 }),
      fakeDeployment<typeof Model>({ score: () => 2 }),
    ];
    await using first = await testServe(front, {
      ...quiet,
      replace: [
        [one, a],
        [other, a],
      ],
    });
    await using second = await testServe(front, {
      ...quiet,
      replace: [
        [one, b],
        [other, b],
      ],
    });
    expect(await second.handle.remote('abc')).toEqual([2, 2]);
    expect(await first.handle.remote('abc')).toEqual([1, 1]);
  });

  test('refuses fakes that no class could be', () => {
    expect(() => fakeDeployment({ fetch: () => 1 })).toThrow('the name of a remote method');
    expect(() => fakeDeployment<unknown>({ call: 1 } as object)).toThrow('a function');
  });
});

describe('faulty', () => {
  /** Which of 50 calls fail, one after the other. */
  async function failures(seed: number): Promise<boolean[]> {
    const flaky = faulty(one, { errorRate: 0.3, seed, error: () => new RangeError('far') });
    await using app = await testServe(flaky, quiet);
    const ends: boolean[] = [];
    for (let call = 0; call < 50; call++) {
      ends.push(
        await app.handle.score.remote('a').then(
          () => false,
          (error) => error instanceof RangeError,
        ),
      );
    }
    return ends;
  }

  test('the same seed fails the same calls', async () => {
    const first = await failures(7);
    expect(first.filter(Boolean).length).toBeGreaterThan(5);
    expect(first.filter(Boolean).length).toBeLessThan(30);
    expect(await failures(7)).toEqual(first);
    expect(await failures(8)).not.toEqual(first);
  });

  test('delays calls, streams and named fields', async () => {
    const slow = faulty(one, { latencyMs: 20, methods: ['score', 'letters', 'double'] });
    await using app = await testServe(front, { ...quiet, replace: [[one, slow]] });
    const start = performance.now();
    expect(await app.handle.remote('abc')).toEqual([3, 3]);
    expect(performance.now() - start).toBeGreaterThan(15);
    expect(await all(app.handle.letters.remote('ab'))).toEqual(['a', 'b', 'a', 'b']);
    expect(await app.handle.double.remote(4)).toEqual([8, 8]);
  });

  test('a function deployment, and wrong options', async () => {
    const fake = fakeDeployment<(text: string) => string>({ call: (text) => text });
    await using app = await testServe(faulty(fake, { errorRate: 1 }), quiet);
    await expect(app.handle.remote('a')).rejects.toThrow('injected fault');
    expect(() => faulty(one, { errorRate: 2 })).toThrow('errorRate');
  });
});

test('a module that registers nothing names what test runners do', async () => {
  await expect(loadTarget('node:path', 'Nothing')).rejects.toMatchObject({
    code: 'SERVE_MODULE_MISMATCH',
    message: expect.stringContaining(
      "not through vitest or jest: in their tests use createServe({ isolation: 'inline' })",
    ),
  });
});
