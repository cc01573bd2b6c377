import { REDIS_FIELD } from './cluster/fleet-settings.ts';
import { replicaRouter } from './replica/current-thread.ts';
import { serve as inReplica } from './replica/host-api.ts';
import { createServe, type Serve } from './serve.ts';

let made: Serve | undefined;

/**
 * The default instance: made at its first use, configured by environment. In a replica's thread `serve.handle(name)`
 * works, everything else is `SERVE_MAIN_IN_WORKER`.
 */
export const serve: Serve = new Proxy({} as Serve, {
  get(_target, name) {
    // In a bundled app the threads of replicas load this module as well.
    if (replicaRouter() !== undefined) return Reflect.get(inReplica, name);
    const redis = process.env['INSERVE_REDIS_URL'] || undefined;
    made ??= createServe(redis === undefined ? {} : { redis: REDIS_FIELD.parse(redis, 'INSERVE_REDIS_URL') });
    const member: unknown = Reflect.get(made, name, made);
    return typeof member === 'function' ? member.bind(made) : member;
  },
});
