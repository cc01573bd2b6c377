import { methodIndex } from '../../channel/method-names.ts';
import type { Endpoint } from './endpoint.ts';

/** Whether replicas have different methods: two versions of their code run side by side. */
export function isSkewed(endpoints: readonly Endpoint[]): boolean {
  const [first, ...others] = endpoints;
  return others.some(({ channel }) => {
    const { methods } = channel;
    if (methods.size !== first?.channel.methods.size) return true;
    for (const name of methods.keys()) if (!first.channel.methods.has(name)) return true;
    return false;
  });
}

/** The replicas that have a method; all replicas if none has the method, since one of them has to report that. */
export function supporting(method: string, endpoints: readonly Endpoint[]): readonly Endpoint[] {
  const able = endpoints.filter(({ channel }) => methodIndex(method, channel.methods) !== undefined);
  return able.length > 0 ? able : endpoints;
}
