import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { freePort } from '../free-port.ts';
import { eventually } from '../until.ts';
import { RedisProcess } from './redis-process.ts';
import { ADMIN, MEMBER, RedisServer, serverArguments } from './redis-server.ts';

/** Time limit of what servers do among themselves, in ms, on a busy machine. */
const AGREED_MS = 60_000;
const MASTER = 'fleet';
const SLOTS = 16_384;
const NODES = 3;

/** A primary with a replica, and a Sentinel that watches them. */
export class RedisSentinel implements AsyncDisposable {
  readonly primary: RedisServer;
  readonly replica: RedisServer;
  /** Options of ioredis for a member of a fleet. */
  readonly options: Readonly<Record<string, unknown>>;
  readonly #processes: AsyncDisposableStack;

  private constructor(
    primary: RedisServer,
    replica: RedisServer,
    sentinelPort: number,
    processes: AsyncDisposableStack,
  ) {
    this.primary = primary;
    this.replica = replica;
    this.options = { sentinels: [{ host: '127.0.0.1', port: sentinelPort }], name: MASTER, ...MEMBER };
    this.#processes = processes;
  }

  static async start(): Promise<RedisSentinel> {
    const processes = new AsyncDisposableStack();
    const primary = processes.use(await RedisServer.start());
    const replica = processes.use(await RedisServer.start('--replicaof', '127.0.0.1', `${primary.port}`));
    await using admin = adminOf(replica.adminUrl);
    await eventually(async () => /master_link_status:up/.test(await admin.redis.info()), AGREED_MS);
    const sentinel = await RedisProcess.start(async (port, folder) => {
      const file = join(folder, 'sentinel.conf');
      await writeFile(file, configuration(port, primary.port));
      return [file, '--sentinel'];
    }, '+monitor');
    processes.use(sentinel);
    await using watcher = adminOf(`redis://127.0.0.1:${sentinel.port}`);
    const hasReplica = async (): Promise<boolean> => {
      const found = (await watcher.redis.call('SENTINEL', 'replicas', MASTER)) as unknown[];
      return found.length === 1;
    };
    await eventually(hasReplica, AGREED_MS);
    return new RedisSentinel(primary, replica, sentinel.port, processes);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#processes.disposeAsync();
  }
}

function configuration(port: number, primary: number): string {
  return `
port ${port}
bind 127.0.0.1
sentinel monitor ${MASTER} 127.0.0.1 ${primary} 1
sentinel auth-user ${MASTER} ${ADMIN.username}
sentinel auth-pass ${MASTER} ${ADMIN.password}
sentinel down-after-milliseconds ${MASTER} 500
sentinel failover-timeout ${MASTER} 2000
`;
}

/** Three primaries that share the slots. */
export class RedisCluster implements AsyncDisposable {
  readonly ports: readonly number[];
  /** Options of `createServe({ redis })` for a member of a fleet. */
  readonly options: Readonly<Record<string, unknown>>;
  readonly #processes: AsyncDisposableStack;

  private constructor(ports: readonly number[], processes: AsyncDisposableStack) {
    this.ports = ports;
    this.options = {
      cluster: ports.map((port) => ({ host: '127.0.0.1', port })),
      redisOptions: { ...MEMBER },
    };
    this.#processes = processes;
  }

  static async start(): Promise<RedisCluster> {
    const processes = new AsyncDisposableStack();
    const nodes = await Promise.all(
      Array.from({ length: NODES }, async () => {
        const bus = await freePort();
        const node = await RedisProcess.start((port, folder) => {
          const settings = ['--cluster-enabled', 'yes', '--cluster-port', `${bus}`];
          return [...serverArguments(port, folder), ...settings];
        }, 'Ready to accept connections');
        return { node: processes.use(node), bus };
      }),
    );
    const [first] = nodes;
    for (const [index, { node }] of nodes.entries()) {
      await using admin = adminOf(adminUrl(node.port));
      const [from, to] = [index, index + 1].map((at) => Math.floor((at * SLOTS) / NODES));
      await admin.redis.call('CLUSTER', 'ADDSLOTSRANGE', from ?? 0, (to ?? 0) - 1);
      await admin.redis.call('CLUSTER', 'SET-CONFIG-EPOCH', index + 1);
      if (node !== first?.node)
        await admin.redis.call('CLUSTER', 'MEET', '127.0.0.1', `${first?.node.port}`, `${first?.bus}`);
    }
    for (const { node } of nodes) {
      await using admin = adminOf(adminUrl(node.port));
      const isComplete = async (): Promise<boolean> => {
        const info = `${await admin.redis.call('CLUSTER', 'INFO')}`;
        return info.includes('cluster_state:ok') && info.includes(`cluster_known_nodes:${NODES}`);
      };
      await eventually(isComplete, AGREED_MS);
    }
    return new RedisCluster(
      nodes.map(({ node }) => node.port),
      processes,
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#processes.disposeAsync();
  }
}

function adminUrl(port: number): string {
  return `redis://${ADMIN.username}:${ADMIN.password}@127.0.0.1:${port}`;
}

/** A connection that may do everything. */
export function adminOf(url: string): AsyncDisposable & { readonly redis: Redis } {
  const redis = new Redis(url, { disableClientInfo: true });
  return {
    redis,
    async [Symbol.asyncDispose]() {
      redis.disconnect();
    },
  };
}
