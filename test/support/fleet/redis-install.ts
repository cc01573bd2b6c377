import { describeWithProgram, hasProgram } from '../distribution-package.ts';

/** Whether this machine has Redis, or gets it from the packages of its distribution. */
export const HAS_REDIS: boolean = hasProgram('redis-server', '--version', 'redis-server');

/** A suite that needs `redis-server`; see `describeWithProgram`. */
export function describeWithRedis(name: string, suite: () => void): void {
  describeWithProgram('redis-server', HAS_REDIS, name, suite);
}
