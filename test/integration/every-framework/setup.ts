import { afterAll, beforeAll, inject } from 'vitest';
import {
  type BoundDeployment,
  createServe,
  type Logger,
  type MiddlewareOptions,
  type Serve,
} from '../../../src/index.ts';
import { probe } from '../../fixtures/http/probe.ts';
import { silent } from '../../support/silent.ts';

export interface Mounting {
  readonly serve: Serve;
  /** Default: all running apps, by their route prefix. */
  readonly app?: BoundDeployment<unknown> | string;
  readonly options?: MiddlewareOptions;
  /** Where it is mounted. Default `'/'`. */
  readonly path?: string;
  /**
   * What the framework does with requests that are handed on: it answers 200 with `{ behind: <the parsed JSON body> }`.
   * Default: nothing comes behind.
   */
  readonly behind?: boolean;
}

/** A server that listens on 127.0.0.1. */
export interface Mounted extends AsyncDisposable {
  readonly port: number;
}

export type Mount = (mounting: Mounting) => Promise<Mounted>;

type ProbeApp = ReturnType<typeof probe.bind>;
export type ProbeHandle = ReturnType<typeof handleOf>;

/** One instance with the probe as its app, for all tests of a suite: a replica costs as much as fifty tests. */
export interface SharedApp {
  readonly serve: Serve;
  readonly app: ProbeApp;
  /** Looks into the replica and opens its gates. */
  readonly probe: ProbeHandle;
}

/** The app behind one server. */
export interface Shared extends SharedApp {
  readonly port: number;
}

function handleOf(serve: Serve, app: ProbeApp) {
  return serve.handle(app);
}

/** Made before the first test of the suite, and closed after its last. */
export function sharedApp(logger: Logger = silent): SharedApp {
  const app = probe.bind();
  let serve: Serve | undefined;
  beforeAll(async () => {
    serve = calmServe(logger);
    await serve.run(app, { routePrefix: null });
  });
  afterAll(() => serve?.close());
  return {
    app,
    get serve() {
      return there(serve);
    },
    get probe() {
      return handleOf(there(serve), app);
    },
  };
}

/** The probe behind one server; others may be mounted beside it. */
export function sharedProbe(mount: Mount, options: MiddlewareOptions = {}, path = '/'): Shared {
  const shared = sharedApp();
  let server: Mounted | undefined;
  beforeAll(async () => {
    const { serve, app } = shared;
    server = await mount({ serve, app, options, path });
  });
  afterAll(() => server?.[Symbol.asyncDispose]());
  return Object.defineProperty(shared as Shared, 'port', { get: () => there(server).port });
}

function there<T>(made: T | undefined): T {
  if (made === undefined) throw new Error('the suite has not begun');
  return made;
}

/** An instance that a busy machine does not make refuse requests: that is tested elsewhere. */
export function calmServe(logger: Logger = silent): Serve {
  return createServe({ logger, hostGuard: { enabled: false }, workerEntry: inject('threadEntry') });
}

let keys = 0;

/** Keeps tests that share a replica apart. */
export function freshKey(): string {
  return `key${++keys}`;
}

/** Reads until the number stands still: for what is not to happen there is no event. */
export async function settled(read: () => number | Promise<number>): Promise<number> {
  for (let last = -1; ; ) {
    const now = await read();
    if (now === last && now > 0) return now;
    last = now;
    await new Promise((resolve) => setTimeout(resolve, 60));
  }
}

/** Calls that hold a place at a replica of any app. */
export function ongoing(serve: Serve): number {
  return Object.values(serve.status().apps)
    .flatMap(({ deployments }) => Object.values(deployments))
    .flatMap(({ replicas }) => replicas)
    .reduce((sum, replica) => sum + replica.ongoing, 0);
}

/** How many HTTP calls ended so, over all apps. */
export async function outcomes(serve: Serve, outcome: string): Promise<number> {
  const pattern = new RegExp(
    `^serve_requests_total\\{[^}]*method="http",outcome="${outcome}"\\} (\\d+)`,
    'gm',
  );
  return [...(await serve.metrics()).matchAll(pattern)].reduce((sum, [, count]) => sum + Number(count), 0);
}

/** Calls that wait for a replica of any app. */
export function queued(serve: Serve): number {
  return Object.values(serve.status().apps)
    .flatMap(({ deployments }) => Object.values(deployments))
    .reduce((sum, deployment) => sum + deployment.queued, 0);
}

/** A logger that keeps what it is told. */
export function recorder() {
  const records: { level: string; fields: Record<string, unknown>; message: string }[] = [];
  const log = (level: string) => (fields: object, message: string) =>
    void records.push({ level, fields: { ...fields }, message });
  return {
    records,
    logger: { debug: log('debug'), info: log('info'), warn: log('warn'), error: log('error') },
  };
}
