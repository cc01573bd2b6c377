import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { invalidOption, ServeError } from '../errors.ts';
import {
  anything,
  either,
  type Field,
  type Fields,
  listOf,
  number,
  object,
  oneOf,
  parseOptions,
  string,
} from '../validation/fields.ts';
import { messageOf } from '../values/describe-value.ts';
import type { BoundDeployment } from './bound.ts';
import { assertBound } from './compile-app.ts';
import {
  type DeploymentOptions,
  mergeOptions,
  NAME_PATTERN,
  parseDeploymentOptions,
  parseOverriddenOptions,
} from './options/deployment-options.ts';

/** Options of one deployment of an app, which override those of its code. */
export interface DeploymentOverrides extends Omit<DeploymentOptions, 'module' | 'schemas'> {
  /** Name under which the deployment runs. */
  name: string;
}

/** One app of a config. */
export interface AppConfig {
  /** Name of the app. */
  name: string;
  /** Prefix under which `middleware()` without an app serves it; `null` = not exposed. Default `'/'`. */
  routePrefix?: string | null;
  /** Module and export, such as `'./models.ts:speech'`: a bound deployment, or a function `(args) => app`. */
  import: string;
  /** Arguments of that function. */
  args?: unknown;
  /** Overrides of the code's options. */
  deployments?: DeploymentOverrides[];
}

/** The config of `serve.deploy()`: plain data, as it may come from a file. */
export interface ServeConfig {
  /** Apps that should run; apps of an earlier config that are missing here are deleted. */
  apps: AppConfig[];
  /** Percentage of the replicas of every deployment that run, 0 to 100; `null` = 100. */
  targetCapacity?: number | null;
}

export const APP_NAME: Field<string> = string('1 to 64 characters of A–Z, a–z, 0–9, _ and -', NAME_PATTERN);

export const ROUTE_PREFIX: Field<string> = either(
  oneOf('/'),
  // No accepted request has a segment of dots, or a backslash.
  string(
    "a path that starts with '/', has no '/' at its end, no '{', '}' or '\\\\', and no segment '.' or '..'",
    /^(?:\/(?!(?:\.|%2e){1,2}(?:\/|$))[^/{}?#\\\s]+)+$/i,
  ),
);

function nullable<T>({ allowed, parse }: Field<T>): Field<T> {
  return {
    allowed: `${allowed}, or null`,
    parse: (value, option) => (value === null ? (null as T) : parse(value, option)),
  };
}

const APP_FIELDS: Fields<AppConfig> = {
  name: APP_NAME,
  routePrefix: nullable(ROUTE_PREFIX),
  import: string("a module and its export, such as './models.ts:speech'", /^.+:[A-Za-z_$][\w$]*$/),
  args: anything<NonNullable<unknown>>(),
  deployments: listOf(anything<DeploymentOverrides>()),
};

const CONFIG_FIELDS: Fields<ServeConfig> = {
  apps: listOf(object<AppConfig>(APP_FIELDS)),
  targetCapacity: nullable(number(0, 100)),
};

/**
 * Checks a config without loading anything. Errors name the path in it: `config.apps[0].name`.
 * @throws ServeError `SERVE_INVALID_OPTION`
 */
export function parseServeConfig(value: unknown): ServeConfig {
  const config = parseOptions<ServeConfig>(value, CONFIG_FIELDS, 'config');
  if (config.apps === undefined) throw invalidOption('config.apps', undefined, 'a list of apps');
  config.apps.forEach((app, index) => {
    const path = `config.apps[${index}]`;
    for (const field of ['name', 'import'] as const) {
      if (app[field] === undefined)
        throw invalidOption(`${path}.${field}`, undefined, APP_FIELDS[field].allowed);
    }
  });
  assertUnique(config.apps, 'name', ({ name }) => name);
  assertUnique(config.apps, 'routePrefix', ({ routePrefix = '/' }) => routePrefix);
  return config;
}

function assertUnique(
  apps: readonly AppConfig[],
  field: string,
  key: (app: AppConfig) => string | null,
): void {
  const seen = new Map<string, number>();
  apps.forEach((app, index) => {
    const value = key(app);
    if (value === null) return;
    const first = seen.get(value);
    if (first !== undefined) {
      throw invalidOption(
        `config.apps[${index}].${field}`,
        value,
        `a ${field} that config.apps[${first}] does not use`,
      );
    }
    seen.set(value, index);
  });
}

/**
 * Imports the app of a config, or calls its function to make it.
 *
 * @param path position of the app in the config
 * @param directory base of relative modules
 * @throws ServeError `SERVE_INVALID_OPTION`; `SERVE_DEPLOY_FAILED` with the error of the module or the function as `cause`
 */
export async function loadApp(
  config: AppConfig,
  path: string,
  directory: string,
): Promise<BoundDeployment<unknown>> {
  const border = config.import.lastIndexOf(':');
  const name = config.import.slice(border + 1);
  const exports = await importModule(config.import.slice(0, border), `${path}.import`, directory);
  if (!(name in exports)) {
    const allowed = `an export of the module: ${Object.keys(exports).join(', ') || 'it has none'}`;
    throw invalidOption(`${path}.import`, config.import, allowed);
  }
  const found = exports[name];
  if (typeof found !== 'function') {
    if (config.args !== undefined)
      throw invalidOption(
        `${path}.args`,
        config.args,
        `no args: '${name}' is not a function that makes an app`,
      );
    assertBound(found, `${path}.import`);
    return found;
  }
  let made: unknown;
  try {
    made = await found(config.args ?? {});
  } catch (cause) {
    throw new ServeError('SERVE_DEPLOY_FAILED', `${path}.import: '${name}' threw: ${messageOf(cause)}`, {
      cause,
    });
  }
  assertBound(made, `${path}.import: what '${name}' returned`);
  return made;
}

async function importModule(
  specifier: string,
  path: string,
  directory: string,
): Promise<Record<string, unknown>> {
  try {
    return (await import(locate(specifier, directory))) as Record<string, unknown>;
  } catch (cause) {
    throw new ServeError(
      'SERVE_DEPLOY_FAILED',
      `${path}: cannot import '${specifier}': ${messageOf(cause)}`,
      {
        cause,
      },
    );
  }
}

function locate(specifier: string, directory: string): string {
  if (specifier.startsWith('file:')) return specifier;
  const isPath = /^\.{0,2}[/\\]|^[A-Za-z]:[/\\]/.test(specifier);
  const file = isPath
    ? resolve(directory, specifier)
    : createRequire(join(directory, 'config.js')).resolve(specifier);
  return pathToFileURL(file).href;
}

/**
 * The options of each deployment, with the overrides of a config applied.
 *
 * @param path position of the app in the config
 * @throws ServeError `SERVE_INVALID_OPTION`, naming the path
 */
export function overridesOf(
  { deployments = [] }: AppConfig,
  path: string,
): { apply(name: string, options: DeploymentOptions): DeploymentOptions; assertUsed(): void } {
  const byName = new Map<string, { at: string; changes: Record<string, unknown>; isUsed: boolean }>();
  deployments.forEach((given, index) => {
    const at = `${path}.deployments[${index}]`;
    const { name, ...changes } = parseOverrides(given, at);
    if (byName.has(name)) throw invalidOption(`${at}.name`, name, 'each deployment once');
    byName.set(name, { at, changes, isUsed: false });
  });
  const known: string[] = [];
  return {
    apply(name, options) {
      known.push(name);
      const found = byName.get(name);
      if (found === undefined) return options;
      found.isUsed = true;
      const { module, schemas, ...rest } = mergeOptions(options, found.changes);
      return { ...parseDeploymentOptions(rest, found.at), ...(schemas && { schemas }) };
    },
    assertUsed() {
      for (const [name, { at, isUsed }] of byName)
        if (!isUsed) throw invalidOption(`${at}.name`, name, `a deployment of the app: ${known.join(', ')}`);
    },
  };
}

function parseOverrides(given: unknown, at: string): DeploymentOverrides {
  const { name, ...changes } = parseOverriddenOptions(given, at);
  if (name === undefined) throw invalidOption(`${at}.name`, undefined, APP_NAME.allowed);
  for (const fixed of ['module', 'schemas'] as const) {
    if (changes[fixed] !== undefined)
      throw invalidOption(`${at}.${fixed}`, changes[fixed], 'to be set where deployment() is called');
  }
  return { name, ...changes };
}
