import type { Contender } from './session.ts';

/** Each is loaded in its own processes only. */
export const CONTENDERS: Readonly<Record<string, () => Promise<Contender>>> = {
  floor: async () => (await import('./floor.ts')).floor,
  inserve: async () => (await import('./inserve.ts')).inserve,
  'inserve-tls': async () => (await import('./inserve.ts')).inserveTls,
  'inserve-local': async () => (await import('./inserve.ts')).inserveLocal,
  hop: async () => (await import('./hop.ts')).hop,
  tcp: async () => (await import('./tcp.ts')).tcp,
  grpc: async () => (await import('./grpc.ts')).grpc,
  moleculer: async () => (await import('./moleculer.ts')).moleculer,
  http: async () => (await import('./http.ts')).http,
};

/** @throws for an unknown name */
export async function contenderOf(name: string): Promise<Contender> {
  const contender = await CONTENDERS[name]?.();
  if (contender === undefined) throw new Error(`no contender named '${name}'`);
  return contender;
}
