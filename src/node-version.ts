import module from 'node:module';
import util from 'node:util';
import { ServeError } from './errors.ts';

/**
 * Imported first by the entry, so that an old Node says what is wrong with one sentence. Modules are linked before the
 * first one runs: a named import of a built-in that an old Node lacks would come before it with an error of its own, so
 * such a built-in is imported whole.
 */

/** Strips types, has `getCallSites`, reads a thread's heap from outside. The same as `engines` in package.json. */
export const NEEDED_NODE = '22.18.0';

/** Reason for which the library cannot run on this version of Node; undefined if it can. */
export function nodeProblem(found: string): string | undefined {
  const [major = 0, minor = 0] = found.split('.').map(Number);
  const [neededMajor = 0, neededMinor = 0] = NEEDED_NODE.split('.').map(Number);
  if (major > neededMajor || (major === neededMajor && minor >= neededMinor)) return undefined;
  return `inserve needs Node ${NEEDED_NODE} or newer; this is Node ${found}.`;
}

/** Functions of Node that replicas need, and that other runtimes may lack. */
const NEEDED: Readonly<Record<string, unknown>> = {
  'module.registerHooks': module.registerHooks,
  'util.getCallSites': util.getCallSites,
};

/** Reason for which the library cannot run on another runtime that claims to be Node; undefined if it can. */
export function runtimeProblem(
  versions: Readonly<Record<string, string | undefined>>,
  needed: Readonly<Record<string, unknown>>,
): string | undefined {
  const missing = Object.keys(needed).filter((name) => typeof needed[name] !== 'function');
  if (missing.length === 0) return undefined;
  const { bun, deno, node } = versions;
  const runtime = bun !== undefined ? `Bun ${bun}` : deno !== undefined ? `Deno ${deno}` : `Node ${node}`;
  return `inserve needs Node ${NEEDED_NODE} or newer; this is ${runtime}, which lacks ${missing.join(' and ')}.`;
}

const problem = nodeProblem(process.versions.node) ?? runtimeProblem(process.versions, NEEDED);
if (problem !== undefined) throw new ServeError('SERVE_UNSUPPORTED_RUNTIME', problem);
