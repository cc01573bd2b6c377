import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { createServe, type Deployment } from 'inserve';
import { answer } from '../harness/answer.ts';
import { measureMemory, measureStart, type Starter } from './measure.ts';

export type ReplicaRequest = 'memory' | 'start';

const BARE = new URL('./bare.worker.mjs', import.meta.url);
// JavaScript, as is deployed: stripping types would load a compiler into every thread.
const DEPLOYMENT = new URL('./deployment.mjs', import.meta.url);

const starters: Readonly<Record<string, () => Promise<Starter>>> = {
  worker: async () => async () => {
    const worker = new Worker(BARE);
    await once(worker, 'message');
    return async () => {
      await worker.terminate();
    };
  },

  replica: async () => {
    const { idle } = (await import(DEPLOYMENT.href)) as { idle: Deployment<new () => { call(): null }> };
    const serve = createServe();
    let apps = 0;
    return async () => {
      const name = `idle-${++apps}`;
      await serve.run(idle.bind(), { name, routePrefix: null });
      return () => serve.delete(name);
    };
  },
};

const starter = await starters[process.argv[2] ?? '']?.();
if (starter === undefined) throw new Error(`nothing to start named '${process.argv[2]}'`);

answer<ReplicaRequest, number>(
  (request) => (request === 'memory' ? measureMemory(starter) : measureStart(starter)),
  async () => {},
);
