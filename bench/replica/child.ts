import { once } from 'node:events';
// Every server has it in its memory.
import 'node:http';
import { Worker } from 'node:worker_threads';
import type { Deployment } from 'inserve';
import { answer } from '../harness/answer.ts';
import { measureFirst, measureMemory, measureStart, type Starter } from './measure.ts';

export type ReplicaRequest = 'memory' | 'start' | 'firstMemory';

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
    const { createServe } = await import('inserve');
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

const prepare = starters[process.argv[2] ?? ''];
if (prepare === undefined) throw new Error(`nothing to start named '${process.argv[2]}'`);

answer<ReplicaRequest, number>(
  async (request) => {
    switch (request) {
      case 'firstMemory':
        return measureFirst(prepare);
      case 'memory':
        return measureMemory(await prepare());
      case 'start':
        return measureStart(await prepare());
    }
  },
  async () => {},
);
