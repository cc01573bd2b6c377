export type { ChaosDirection } from './chaos-direction.ts';
export type { ChaosProxyOptions, ChaosSettings } from './chaos-options.ts';
export { type ChaosProxy, chaosProxy } from './chaos-proxy.ts';
export { type FakeMethods, fakeDeployment } from './fake-deployment.ts';
export { type FaultOptions, faulty } from './faulty.ts';
export type { Replacement } from './replace-deployments.ts';
export { type TestServe, type TestServeOptions, testServe } from './test-serve.ts';
