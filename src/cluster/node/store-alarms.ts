import type { StoreFailure } from '../fleet-store.ts';
import type { StoreAnswer } from './events.ts';

/** Texts about failures of the store: their meaning and the remedy. */
const MEANING: Readonly<Record<StoreFailure, string>> = {
  timeout: 'Redis does not answer in time',
  unreachable: 'Redis cannot be reached',
  'out-of-memory': 'Redis is out of memory: no instance can join and no plan can change until it has more',
  'read-only':
    'Redis takes no writes, since it is a replica: connect to the primary, or let Sentinel find it',
  'no-permission': 'the user of Redis lacks rights that a fleet needs: docs/fleet.md has the access list',
  'no-authentication': 'Redis refuses the user or the password of the option redis',
  'wrong-type': 'a key of the fleet has a value of another type: delete it',
  misconfigured: 'Redis refuses writes because it cannot save its data',
  loading: 'Redis is not ready: it loads its data, or its Cluster is incomplete',
  other: 'Redis fails',
};

/** The alarm of a failed operation. @param detail the error of Redis; empty if it is not known */
export function storeAlarm(failure: StoreFailure, op: string, detail: string): string {
  const error = detail === '' ? '' : `, ${detail}`;
  return `${MEANING[failure]} (${op}${error}); the instance keeps following the last plan`;
}

/** The alarm of a document that cannot be used. @param answer the read that found it */
export function unreadableAlarm(
  { newer, forged }: Pick<Extract<StoreAnswer, { op: 'read' }>, 'newer' | 'forged'>,
  name: string,
): string {
  if (newer.includes(name)) return `the store holds a document that newer code wrote: ${name}`;
  if (!forged.includes(name)) return `the store holds a document that cannot be used: ${name}`;
  const remedy = 'give all instances the same fleet.secret, or fleets that share a Redis a fleet.name each';
  return `the store holds a document that was not sealed with the secret of this instance: ${name}; ${remedy}`;
}
