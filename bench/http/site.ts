import type { Serve, ServeMiddleware } from 'inserve';
import type { Apps } from './apps.ts';

/** The routes of the bench: `/json`, `/echo`, … */
export const ROUTES = ['json', 'echo', 'upload', 'stream', 'tokens', 'events', 'busy'] as const;
export type RouteName = (typeof ROUTES)[number];

/** A server that listens. */
export interface Site {
  readonly port: number;
  close(): Promise<void>;
}

/** What handlers await where the work is done elsewhere. */
export interface Delegate {
  json(): Promise<unknown>;
  echo(body: Uint8Array): Promise<Uint8Array>;
  upload(body: Uint8Array): Promise<unknown>;
  busy(): Promise<unknown>;
}

/** The routes as apps of inserve. */
export interface Served {
  readonly serve: Serve;
  readonly apps: Apps;
  readonly middleware: Readonly<Record<RouteName, ServeMiddleware>>;
}

/** A web framework, and how its users would write the bench's routes. */
export interface Framework {
  /** The work is done in the handlers. */
  plain(): Promise<Site>;
  /** Every route is an app of inserve. */
  serve(served: Served): Promise<Site>;
  /** The no-op route is the only app. */
  serveAlone?(json: ServeMiddleware): Promise<Site>;
  /** The work is done by a pool of threads, which cannot stream. */
  delegate?(to: Delegate): Promise<Site>;
}
