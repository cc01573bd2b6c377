// The entries of the package beside those of the frameworks, as their users write them.
import type { Plugin as EsbuildPlugin } from 'esbuild';
import { type DeploymentHandle, deployment, type ManualClock, type Serve } from 'inserve';
import { inserve as esbuildPlugin } from 'inserve/esbuild';
import { traceInserve } from 'inserve/otel';
import { type ChaosProxy, chaosProxy, fakeDeployment, faulty, testServe } from 'inserve/testing';
import { inserve as vitePlugin } from 'inserve/vite';
import { inserve as webpackPlugin } from 'inserve/webpack';
import type { Plugin as RollupPlugin } from 'rollup';
import type { Equal, Expect } from './expect.ts';
import 'inserve/fleet-thread';
import 'inserve/worker';

class Model {
  async embed(text: string): Promise<Float32Array> {
    return new Float32Array(text.length);
  }
}
class Front {
  readonly #model: DeploymentHandle<typeof Model>;
  constructor(model: DeploymentHandle<typeof Model>) {
    this.#model = model;
  }
  async call(text: string): Promise<number> {
    return (await this.#model.embed.remote(text)).length;
  }
}
const model = deployment(Model, { name: 'Model' }).bind();
const front = deployment(Front, { name: 'Front' }).bind(model);

const fake = fakeDeployment<typeof Model>({ embed: (text) => new Float32Array(text.length) });
// @ts-expect-error the fake gives something else than the model
fakeDeployment<typeof Model>({ embed: (text) => text });
// @ts-expect-error the model has no such method
fakeDeployment<typeof Model>({ embeds: () => new Float32Array(1) });

await using app = await testServe(front, {
  replace: [
    [model, fake],
    [model, faulty(model, { errorRate: 0.2, jitterMs: 50, seed: 7 })],
  ],
});
export type AppOfTest = [
  Expect<Equal<typeof app.serve, Serve>>,
  Expect<Equal<typeof app.clock, ManualClock>>,
  Expect<Equal<typeof app.handle, DeploymentHandle<typeof Front>>>,
];
export const length: number = await app.handle.remote('text');
// @ts-expect-error the ingress takes a text
app.handle.remote(5);

export const proxy: ChaosProxy = await chaosProxy({ targetPort: 6379, seed: 7 });
proxy.toClient.set({ stall: true });

export const plugins: [EsbuildPlugin, RollupPlugin] = [esbuildPlugin(), vitePlugin({ external: false })];
export const webpack: { plugins: { apply(compiler: never): void }[] } = { plugins: [webpackPlugin()] };
export const stop: () => void = traceInserve();
