import { afterAll, beforeAll, describe } from 'vitest';
import { describeWithRedis, RedisServer } from '../../support/fleet/redis-server.ts';
import { redisStoreConformance } from '../../support/fleet/redis-store-suite.ts';
import { RedisCluster, RedisSentinel } from '../../support/fleet/redis-topologies.ts';

/** Servers that agree with each other take a while on a busy machine. */
const START_MS = 120_000;

describeWithRedis('a store of a fleet does what the memory store does', () => {
  describe('on one server', () => {
    let server: RedisServer;
    beforeAll(async () => {
      server = await RedisServer.start();
    }, START_MS);
    afterAll(() => server[Symbol.asyncDispose]());

    redisStoreConformance(() => ({ url: server.url }));
  });

  describe('found by Sentinel', () => {
    let sentinel: RedisSentinel;
    beforeAll(async () => {
      sentinel = await RedisSentinel.start();
    }, START_MS);
    afterAll(() => sentinel[Symbol.asyncDispose]());

    redisStoreConformance(() => ({ options: sentinel.options }));
  });

  describe('on a Cluster', () => {
    let cluster: RedisCluster;
    beforeAll(async () => {
      cluster = await RedisCluster.start();
    }, START_MS);
    afterAll(() => cluster[Symbol.asyncDispose]());

    redisStoreConformance(() => ({ options: cluster.options }));
  });
});
