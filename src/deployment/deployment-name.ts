import { invalidOption } from '../errors.ts';
import { NAME_PATTERN } from './options/deployment-options.ts';

/**
 * The name of a deployment: the one that is given, else that of its class or function.
 *
 * @throws ServeError `SERVE_INVALID_OPTION` if the class or function has no name that fits, and none is given
 */
export function deploymentName(given: string | undefined, target: Function): string {
  const name = given ?? target.name;
  if (NAME_PATTERN.test(name)) return name;
  const kind = /^class\b/.test(Function.prototype.toString.call(target)) ? 'class' : 'function';
  throw invalidOption(
    'deployment.name',
    name,
    `letters, digits, _ and -, at most 64. No \`name\` is given, and this is the name of the ${kind} itself: ` +
      'it is anonymous, or a bundler or minifier has removed or changed its name. ' +
      "Write deployment(Embedder, { name: 'Embedder' }), with the name of your own class or function",
  );
}

/**
 * Whether a class or function seems to be renamed by a tool: esbuild puts `_` before the name of a class that refers to itself, and
 * minifiers leave one or two characters.
 */
export function looksMinified(name: string): boolean {
  return name.length <= 2 || name.startsWith('_');
}
