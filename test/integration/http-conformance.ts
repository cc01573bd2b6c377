/**
 * What every HTTP adapter must do, whatever framework it is for. A framework's tests call the suites with a function that
 * mounts the middleware in its way.
 */

export { bodies } from './conformance/bodies.ts';
export { disconnects } from './conformance/disconnects.ts';
export { errors } from './conformance/errors.ts';
export { identity } from './conformance/identity.ts';
export { inline } from './conformance/inline.ts';
export { methods } from './conformance/methods.ts';
export { requests } from './conformance/requests.ts';
export { results } from './conformance/results.ts';
export { mounting, routing } from './conformance/routing.ts';
export { security } from './conformance/security.ts';
export type { Mount, Mounted } from './conformance/setup.ts';
export { streaming } from './conformance/streaming.ts';
export { validation } from './conformance/validation.ts';
