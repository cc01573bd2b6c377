import { documentedRules } from './documented-acl.ts';
import { RedisProcess } from './redis-process.ts';

export { describeWithRedis, HAS_REDIS } from './redis-install.ts';

/** A user that may do everything. */
export const ADMIN = { username: 'admin', password: 'admins-word' } as const;
/** A user that may do what docs/fleet.md says to be enough, in fleets of any name. */
export const MEMBER = { username: 'member', password: 'members-word' } as const;

const READY = 'Ready to accept connections';

/** The arguments of a server without persistence, whose users have names. */
export function serverArguments(port: number, folder: string): string[] {
  const settings = {
    port,
    bind: '127.0.0.1',
    save: '',
    appendonly: 'no',
    dir: folder,
    masteruser: ADMIN.username,
    masterauth: ADMIN.password,
  };
  return [
    ...Object.entries(settings).flatMap(([name, value]) => [`--${name}`, `${value}`]),
    ...['--user', 'default', 'off'],
    ...['--user', ADMIN.username, 'on', `>${ADMIN.password}`, '~*', '&*', '+@all'],
    ...['--user', MEMBER.username, 'on', `>${MEMBER.password}`, ...documentedRules('*')],
  ];
}

/** A Redis of its own on a free port, without persistence. Tests use it as a user of the documented access list. */
export class RedisServer implements AsyncDisposable {
  readonly port: number;
  /** As a member of any fleet. */
  readonly url: string;
  /** As a user that may do everything. */
  readonly adminUrl: string;
  readonly #process: RedisProcess;

  private constructor(process: RedisProcess) {
    this.#process = process;
    this.port = process.port;
    this.url = urlOf(MEMBER, process.port);
    this.adminUrl = urlOf(ADMIN, process.port);
  }

  /** @param settings of redis-server, such as `--maxmemory 2mb` */
  static async start(...settings: readonly string[]): Promise<RedisServer> {
    const argsOf = (port: number, folder: string): string[] => [
      ...serverArguments(port, folder),
      ...settings,
    ];
    return new RedisServer(await RedisProcess.start(argsOf, READY));
  }

  /** Stops it where it is, as a machine that hangs. */
  freeze(): void {
    this.#process.freeze();
  }

  thaw(): void {
    this.#process.thaw();
  }

  async stop(): Promise<void> {
    await this.#process.stop();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process[Symbol.asyncDispose]();
  }
}

function urlOf({ username, password }: typeof ADMIN | typeof MEMBER, port: number): string {
  return `redis://${username}:${password}@127.0.0.1:${port}`;
}
