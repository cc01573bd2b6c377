import { ServeError } from '../errors.ts';

/** What `deployment()` registered: the user's class or function, under its module and first name. */
type Registry = Map<string, Function>;

const KEY = Symbol.for('inserve.registry');

/** On `globalThis`, so that two copies of the package in one thread agree. */
function registry(): Registry {
  const known: unknown = Reflect.get(globalThis, KEY);
  if (known instanceof Map) return known;
  const made: Registry = new Map();
  Object.defineProperty(globalThis, KEY, { value: made });
  return made;
}

/**
 * @param module `file:` URL
 * @throws ServeError `SERVE_INVALID_OPTION` if the key holds another target already
 */
export function registerTarget(module: string, name: string, target: Function): void {
  const key = `${module}#${name}`;
  const known = registry().get(key);
  if (known !== undefined && known !== target) {
    throw new ServeError(
      'SERVE_INVALID_OPTION',
      `two deployments of ${module} are called '${name}': give one of them another \`name\``,
    );
  }
  registry().set(key, target);
}

/** What a module registered under the name; imports it unless this thread has it already. */
export async function loadTarget(module: string, name: string): Promise<Function> {
  const key = `${module}#${name}`;
  if (!registry().has(key)) await import(module);
  const target = registry().get(key);
  if (target !== undefined) return target;
  const there = [...registry().keys()]
    .filter((key) => key.startsWith(`${module}#`))
    .map((key) => key.slice(module.length + 1));
  throw new ServeError(
    'SERVE_MODULE_MISMATCH',
    `${module} registered no deployment '${name}' when the replica imported it` +
      (there.length > 0 ? ` (it registered ${there.join(', ')})` : '') +
      ': call deployment() at the top level of that module, and pass `module: import.meta.url` if a wrapper calls it',
  );
}
