import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setImmediate } from 'node:timers/promises';
import { answer } from '../harness/answer.ts';
import { mainThreadCpuNs } from '../harness/cpu-time.ts';
import { pinThread } from '../harness/pin.ts';
import { type Backend, FRAMEWORKS, startSite } from './servers.ts';

export type ServerRequest =
  | { readonly ask: 'port' }
  /** Starts counting CPU time, and with `loop` (a timer of 1 ms) how late the event loop is. */
  | { readonly ask: 'watch'; readonly loop: boolean }
  /** What was seen since. */
  | { readonly ask: 'watched' }
  /** Binds the main thread to a core; without one to none. */
  | { readonly ask: 'pin'; readonly core?: number };

export interface ServerReply {
  readonly port: number;
  readonly isPinned: boolean;
  /** 99th percentile of how late the event loop was, in ms. */
  readonly lagMs: number;
  /** On-CPU time of the main thread, and of the whole process, in µs. */
  readonly mainUs: number;
  readonly processUs: number;
}

/** Of the loop's timer, in ms. */
const RESOLUTION_MS = 1;

const [, , framework = '', backend = 'plain'] = process.argv;
const load = FRAMEWORKS[framework];
if (load === undefined) throw new Error(`no framework named '${framework}'`);
await compileTicks();
const site = await startSite(await load(), backend as Backend);

let delay: ReturnType<typeof monitorEventLoopDelay> | undefined;
let mainBegin = 0;
let processBegin = process.cpuUsage();

answer<ServerRequest, Partial<ServerReply>>(async (request) => {
  switch (request.ask) {
    case 'port':
      return { port: site.port };
    case 'pin':
      return { isPinned: pinThread(request.core) };
    case 'watch':
      delay = request.loop ? monitorEventLoopDelay({ resolution: RESOLUTION_MS }) : undefined;
      delay?.enable();
      mainBegin = mainThreadCpuNs() ?? Number.NaN;
      processBegin = process.cpuUsage();
      return {};
    case 'watched': {
      delay?.disable();
      const { user, system } = process.cpuUsage(processBegin);
      return {
        // The timer's own interval is in each value.
        lagMs: Math.max(0, (delay?.percentile(99) ?? 0) / 1e6 - RESOLUTION_MS),
        mainUs: ((mainThreadCpuNs() ?? Number.NaN) - mainBegin) / 1e3,
        processUs: user + system,
      };
    }
  }
}, site.close);

/**
 * A full garbage collection before V8 has compiled `process.nextTick` makes it four times slower for good (120 → 500 ns,
 * Node 24: the feedback on its tick objects dies with the last of them). Whether one falls into the start of a server
 * is chance, and would decide a tenth of what is measured; so it is compiled first, for everybody.
 */
async function compileTicks(): Promise<void> {
  for (let round = 0; round < 100; round++) {
    for (let tick = 0; tick < 1_000; tick++) process.nextTick(() => {});
    await setImmediate();
  }
}
