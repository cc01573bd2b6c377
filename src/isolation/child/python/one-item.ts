import { splitKwargs } from '../../../deployment/python/kwargs.ts';
import { ServeError } from '../../../errors.ts';

/**
 * Refuses arguments of a batched method beside its item: the method gets a list of items, which has no place for them.
 *
 * @throws ServeError `SERVE_INVALID_OPTION`
 */
export function assertOneItem(name: string, args: readonly unknown[]): void {
  const [positional, named] = splitKwargs(args);
  if (named === undefined && positional.length <= 1) return;
  const got = named === undefined ? `${positional.length} arguments` : 'kwargs()';
  throw new ServeError(
    'SERVE_INVALID_OPTION',
    `${name}(): a batched method takes one positional argument, its item; got ${got}: put all values into the item`,
  );
}
