import express from 'express';
import { createServe } from 'inserve';
import { allRunning } from '../../harness/all-running.ts';
import { Child } from '../../harness/child.ts';
import { listen } from '../../http/listen.ts';
import type { Site } from '../../http/site.ts';
import type { LoadReply, LoadRequest, Target } from '../../load/load.ts';
import type { Cell, Session } from '../cell.ts';
import { MixedDeployment } from '../deployments.ts';
import { KINDS, type Kind, work } from '../mix.ts';

const LOAD = new URL('../../load/child.ts', import.meta.url);
const START_TIMEOUT_MS = 20_000;
const THREADS = 2;
const CONNECTIONS = 64;
/** On top of the window and its run-up: requests that are still open. */
const SLACK_MS = 30_000;

/** A web server on Express whose routes compute: hashes, CSV files and PDF documents, one after the other on each connection. */
export const web: Cell = {
  name: 'web',
  units: { throughput: 'requests/s', p50: 'ms', p99: 'ms', refused: 'requests' },
  keys: [
    {
      key: 'compute.http64_vs_piscina',
      metric: 'throughput',
      of: 'inserve',
      against: 'piscina',
      goal: '≥ 1.0',
    },
  ],
  contenders: {
    inserve: async () => {
      const serve = createServe();
      const middleware = serve.middleware(MixedDeployment.options({ numReplicas: THREADS }).bind());
      await middleware.ready();
      await allRunning(serve);
      return session(await listen(express().use('/mix', middleware)), () => serve.close());
    },
    piscina: async (stepsPerMs) => {
      const { piscinaOf } = await import('../piscina.ts');
      const pool = await piscinaOf(THREADS, stepsPerMs);
      const app = express();
      app.get('/mix/:kind', async (req, res) => void res.json(await pool.work(req.params.kind as Kind)));
      return session(await listen(app), pool.close);
    },
  },
  // A replica that is believed to hang is given up after 5 s: the window is longer.
  ms: 10_000,
  rounds: 3,
  timeoutMs: (ms) => 2 * ms + SLACK_MS,
};

/** The load comes from a process of its own, which the server's process starts. */
async function session(site: Site, close: () => Promise<void>): Promise<Session> {
  const [first, ...others] = KINDS;
  const targets = [targetOf(first, site.port), ...others.map((kind) => targetOf(kind, site.port))] as const;
  const load = await Child.start<LoadRequest, LoadReply>('load', LOAD, ['own'], START_TIMEOUT_MS);
  return {
    async measure({ ms }) {
      const request: LoadRequest = { targets, connections: CONNECTIONS, ms, rate: 0, isTolerant: true };
      const { throughput, p50, p99, refused } = await load.ask(request, 2 * ms + SLACK_MS / 2);
      return { throughput, ...(p50 !== undefined && { p50 }), ...(p99 !== undefined && { p99 }), refused };
    },
    async close() {
      await load.stop();
      await site.close();
      await close();
    },
  };
}

function targetOf(kind: Kind, port: number): Target {
  const answerBytes = JSON.stringify(work(kind)).length;
  return { port, method: 'GET', path: `/mix/${kind}`, bodyBytes: 0, answerBytes };
}
