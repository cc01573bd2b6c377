import type { Redis } from 'ioredis';

/** What a server was asked, as MONITOR tells it. */
export interface RedisMonitor extends AsyncDisposable {
  /** Commands that clients sent, without those that scripts run, and what they were sent for. */
  readonly commands: readonly string[];
  /** Forgets what was sent so far. */
  reset(): void;
}

/** @param redis a connection that may do everything */
export async function monitor(redis: Redis): Promise<RedisMonitor> {
  const watching = await redis.monitor();
  const commands: string[] = [];
  watching.on('monitor', (_time: string, args: string[], source: string) => {
    if (source !== 'lua') commands.push(args.slice(0, 3).join(' '));
  });
  return {
    commands,
    reset: () => {
      commands.length = 0;
    },
    async [Symbol.asyncDispose]() {
      watching.disconnect();
    },
  };
}
