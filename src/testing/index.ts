export type { ChaosDirection } from './chaos-direction.ts';
export type { ChaosProxyOptions, ChaosSettings } from './chaos-options.ts';
export { type ChaosProxy, chaosProxy } from './chaos-proxy.ts';
