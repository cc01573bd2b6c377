import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { threadId } from 'node:worker_threads';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { batch, context, type DeploymentHandle, deployment, type ServeError } from '../../../src/index.ts';
import { quietServe } from '../../support/quiet.ts';
import { label } from './label.ts';

// The module of a mock is replaced by the test's own loader, which a replica in a thread does not have.
vi.mock('./label.ts', () => ({ label: () => 'mocked' }));

class Model {
  readonly #seen: unknown[] = [];

  label(): string {
    return label();
  }

  thread(): number {
    return threadId;
  }

  keep(value: object): object {
    this.#seen.push(value);
    return value;
  }

  isKept(value: object): boolean {
    return this.#seen.includes(value);
  }

  fail(): never {
    throw Object.assign(new RangeError('too far'), { statusCode: 418, expose: true });
  }

  leak(): unknown {
    return { of: () => 'a function' };
  }

  async *count(to: number): AsyncGenerator<{ at: number }> {
    for (let at = 0; at < to; at++) yield { at };
  }

  double = batch({ maxBatchSize: 4 }, async (items: number[]) => items.map((item) => item * 2));

  size(bytes: Uint8Array): number {
    return bytes.byteLength;
  }

  tenant(): string | undefined {
    return context().tenant;
  }
}

class Front {
  readonly #model: DeploymentHandle<typeof Model>;

  constructor(model: DeploymentHandle<typeof Model>) {
    this.#model = model;
  }

  async call(request: Request): Promise<Response> {
    const { value } = (await request.json()) as { value: number };
    return Response.json({
      label: await this.#model.label.remote(),
      doubled: await this.#model.double.remote(value),
    });
  }
}

const model = deployment(Model, {
  name: 'Model',
  module: import.meta.url,
  autoscaling: { minReplicas: 2, maxReplicas: 8 },
  resources: { cpus: 1_000 },
  idempotent: true,
  hedge: { afterMs: 10 },
}).bind();
const front = deployment(Front, { name: 'Front', module: import.meta.url, numReplicas: 3 }).bind(model);

describe("createServe({ isolation: 'inline' })", () => {
  test('runs every deployment here, with the mocks of the test, whatever number or resources it asks for', async () => {
    await using serve = quietServe({ isolation: 'inline' });
    const handle = await serve.run(model);
    expect(await handle.thread.remote()).toBe(threadId);
    expect(await handle.label.remote()).toBe('mocked');
    expect(serve.status().apps['Model']?.deployments['Model']).toMatchObject({
      status: 'HEALTHY',
      targetReplicas: 1,
    });
  });

  test('copies values as for a thread, both ways', async () => {
    await using serve = quietServe({ isolation: 'inline' });
    const handle = await serve.run(model);
    const value = {
      at: new Date(0),
      big: 10n,
      map: new Map([[1, new Set(['a'])]]),
      error: new TypeError('kept'),
    };
    const back = (await handle.keep.remote(value)) as typeof value;
    expect(back).toEqual(value);
    expect(back).not.toBe(value);
    expect(back.error).toBeInstanceOf(TypeError);
    expect(await handle.isKept.remote(value)).toBe(false);
    await expect(handle.keep.remote({ of: () => {} } as never)).rejects.toMatchObject({
      code: 'SERVE_NOT_SERIALIZABLE',
    });
    await expect(handle.leak.remote()).rejects.toMatchObject({ code: 'SERVE_NOT_SERIALIZABLE' });
    expect(await Array.fromAsync(handle.count.remote(3))).toEqual([{ at: 0 }, { at: 1 }, { at: 2 }]);
  });

  test('moves memory that is given away', async () => {
    await using serve = quietServe({ isolation: 'inline' });
    const handle = await serve.run(model);
    const { transfer } = await import('../../../src/index.ts');
    const bytes = new Uint8Array(1_024);
    expect(await handle.size.remote(transfer(bytes, [bytes.buffer]))).toBe(1_024);
    expect(bytes.byteLength).toBe(0);
  });

  test('fails a call as a thread does', async () => {
    await using serve = quietServe({ isolation: 'inline' });
    const handle = await serve.run(model);
    const error = (await handle.fail.remote().catch((thrown: unknown) => thrown)) as ServeError;
    expect(error).toBeInstanceOf(RangeError);
    expect(error).toMatchObject({ message: 'too far', statusCode: 418, expose: true });
  });

  test('composes, batches and keeps the context of a call', async () => {
    await using serve = quietServe({ isolation: 'inline' });
    await serve.run(front);
    const server = createServer(serve.middleware('Front')).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const body = JSON.stringify({ value: 21 });
    const response = await fetch(`http://127.0.0.1:${port}/`, { method: 'POST', body });
    expect(await response.json()).toEqual({ label: 'mocked', doubled: 42 });
    server.close();
    const inner = serve.handle<typeof Model>('Model', { app: 'Front' });
    expect(await Promise.all([1, 2, 3].map((item) => inner.double.remote(item)))).toEqual([2, 4, 6]);
    expect(await inner.options({ tenant: 'red' }).tenant.remote()).toBe('red');
  });
});

describe('INSERVE_ISOLATION', () => {
  afterEach(() => vi.unstubAllEnvs());

  test("'inline' does the same", async () => {
    vi.stubEnv('INSERVE_ISOLATION', 'inline');
    await using serve = quietServe();
    expect(await (await serve.run(model)).thread.remote()).toBe(threadId);
  });

  test('refuses any other value', () => {
    vi.stubEnv('INSERVE_ISOLATION', 'thread');
    expect(() => quietServe()).toThrow(/INSERVE_ISOLATION: got 'thread'|INSERVE_ISOLATION: got "thread"/);
  });
});
