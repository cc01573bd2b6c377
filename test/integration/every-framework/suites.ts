/**
 * What every HTTP adapter must do, whatever framework it is for. A framework's tests call the suites with a function that
 * mounts the middleware in its way.
 */

export { bodies } from './bodies.ts';
export { disconnects } from './disconnects.ts';
export { errors } from './errors.ts';
export { identity } from './identity.ts';
export { inline } from './inline.ts';
export { methods } from './methods.ts';
export { requests } from './requests.ts';
export { results } from './results.ts';
export { mounting, routing } from './routing.ts';
export { security } from './security.ts';
export type { Mount, Mounted } from './setup.ts';
export { streaming } from './streaming.ts';
export { validation } from './validation.ts';
