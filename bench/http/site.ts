import type { ServeMiddleware } from 'inserve';

/** The routes of the bench: `/json`, `/echo`, … */
export const ROUTES = ['json', 'echo', 'upload', 'stream', 'busy'] as const;
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

/** A web framework, and how its users would write the bench's routes. */
export interface Framework {
  /** The work is done in the handlers. */
  plain(): Promise<Site>;
  /** Every route is an app of inserve. */
  serve(middleware: Readonly<Record<RouteName, ServeMiddleware>>): Promise<Site>;
  /** The work is done by a pool of threads, which cannot stream. */
  delegate?(to: Delegate): Promise<Site>;
}
