import { isIP } from 'node:net';
import type { MessagePort } from 'node:worker_threads';
import type { Declaration } from '../documents.ts';
import type { FleetTally } from '../fleet-counts.ts';
import type { FleetOptions, MembershipOptions } from '../fleet-options.ts';
import { FLEET_TIMING } from '../node/timing.ts';
import { isWildcard, machineAddress } from '../own-address.ts';
import { openRedis, type RedisClient } from '../redis/client.ts';
import { EvictionCheck } from '../redis/eviction.ts';
import { FleetKeys } from '../redis/keys.ts';
import { borrowRedis } from '../redis/lent-client.ts';
import { RedisFleetStore } from '../redis/redis-store.ts';
import { Seal } from '../redis/seal.ts';
import { FleetMember, type MemberLinks, type MemberListener } from './fleet-member.ts';

/** Versions of the protocol of links that this code speaks. */
const PROTOCOLS: readonly number[] = [1];

export interface OpenMemberOptions {
  readonly instanceId: string;
  readonly epoch: number;
  readonly fleet: FleetOptions;
  readonly membership: MembershipOptions;
  /** Port at which the instance listens. */
  readonly port: number;
  readonly declaration: Declaration;
  readonly links: MemberLinks;
  readonly listener: MemberListener;
  readonly tally: FleetTally;
  /** Lends the client of Redis that the app has made. */
  readonly redis: MessagePort | undefined;
}

/** A membership with its connection to Redis. */
export interface OpenMember {
  readonly member: FleetMember;
  /** Ends both without leaving the fleet. */
  close(): void;
}

/**
 * Joins the fleet. Redis need not be reachable yet.
 * @throws ServeError `SERVE_MISSING_DEPENDENCY` without ioredis; what the module of a client throws
 */
export async function openMember(options: OpenMemberOptions): Promise<OpenMember> {
  const { instanceId, epoch, fleet, membership, port, declaration, links, listener, tally } = options;
  const { resources = {}, gpus = 0, zone, timing = FLEET_TIMING } = membership;
  const client = await (options.redis === undefined
    ? openRedis(membership.redis)
    : borrowRedis(options.redis));
  const keys = new FleetKeys(fleet.name);
  const eviction = new EvictionCheck(client, keys, (advice) => listener.fault('eviction', advice));
  const member = new FleetMember({
    identity: {
      id: instanceId,
      epoch,
      // Read at each join: Redis may come after the instance, and only then tells the address.
      get address() {
        return joined(advertisedHost(fleet, membership, client), port);
      },
      certificate: '',
      protocols: PROTOCOLS,
      resources,
      gpus,
      zone,
    },
    declaration,
    store: new RedisFleetStore(client, keys),
    keys,
    seal: new Seal(fleet.secrets),
    timing,
    links,
    listener: {
      ...listener,
      changed(view) {
        listener.changed(view);
        eviction.see(view.isStoreUp);
      },
    },
    tally,
  });
  const close = (): void => {
    member.close();
    client.close();
  };
  return { member, close };
}

/** The given address; else the one that the instance listens at; for all interfaces, the one that Redis sees. */
function advertisedHost(
  { listen }: FleetOptions,
  { advertise }: MembershipOptions,
  client: RedisClient,
): string {
  if (advertise !== undefined) return advertise;
  if (!isWildcard(listen.host)) return listen.host;
  return client.localAddress ?? machineAddress();
}

function joined(host: string, port: number): string {
  return isIP(host) === 6 ? `[${host}]:${port}` : `${host}:${port}`;
}
