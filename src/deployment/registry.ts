import { BUNDLERS_PAGE, ServeError, TESTING_PAGE } from '../errors.ts';
import type { DeploymentSchemas } from '../validation/schema.ts';

/** A registration by `deployment()`. Schemas cannot cross threads; like the target they come with the module. */
export interface Registration {
  /** The user's class or function. */
  readonly target: Function;
  readonly schemas: DeploymentSchemas;
}

/** Registrations by their module and first name. */
type Registry = Map<string, Registration>;

const KEY = Symbol.for('inserve.registry');

/** The table is on `globalThis`, so that two copies of the package in one thread share it. */
function registry(): Registry {
  const known: unknown = Reflect.get(globalThis, KEY);
  if (known instanceof Map) return known;
  const made: Registry = new Map();
  Object.defineProperty(globalThis, KEY, { value: made });
  return made;
}

/**
 * @param module `file:` URL
 * @throws ServeError `SERVE_INVALID_OPTION` if the key already holds another target
 */
export function registerTarget(module: string, name: string, registration: Registration): void {
  const key = `${module}#${name}`;
  const known = registry().get(key);
  if (known !== undefined && !isSame(known, registration)) {
    throw new ServeError(
      'SERVE_INVALID_OPTION',
      `two deployments of ${module} are called '${name}': give one of them another \`name\``,
    );
  }
  registry().set(key, registration);
}

/** Repeated calls of `deployment()` for the same target register it once. */
function isSame(a: Registration, b: Registration): boolean {
  const methods = new Set([...Object.keys(a.schemas), ...Object.keys(b.schemas)]);
  return (
    a.target === b.target &&
    [...methods].every(
      (name) =>
        a.schemas[name]?.input === b.schemas[name]?.input &&
        a.schemas[name]?.output === b.schemas[name]?.output,
    )
  );
}

/** The registration of a name; imports the module unless this thread has done so already. */
export async function loadTarget(module: string, name: string): Promise<Registration> {
  const key = `${module}#${name}`;
  if (!registry().has(key)) await import(module);
  const registration = registry().get(key);
  if (registration !== undefined) return registration;
  const there = [...registry().keys()]
    .filter((key) => key.startsWith(`${module}#`))
    .map((key) => key.slice(module.length + 1));
  throw new ServeError(
    'SERVE_MODULE_MISMATCH',
    `${module} registered no deployment '${name}' when the replica imported it` +
      (there.length > 0 ? ` (its deployments are ${there.join(', ')})` : '') +
      ': call deployment() at the top level of that module, and pass `module: import.meta.url` if a wrapper calls it; ' +
      `if a bundler made the file, see ${BUNDLERS_PAGE}. ` +
      "A replica imports by Node itself, not through vitest or jest: in their tests use createServe({ isolation: 'inline' }), " +
      `see ${TESTING_PAGE}`,
  );
}
