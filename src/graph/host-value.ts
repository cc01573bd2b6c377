import { identityOf } from '../values/identity.ts';
import { PORTABLE, type Portable } from '../values/marks.ts';

/**
 * A function or schema among the arguments of an inline deployment. It stays on the thread that made it; other threads only get
 * its `key`, by which another value is another version.
 */
export class HostValue<T extends object> implements Portable {
  readonly key: string;
  readonly #value: T;

  constructor(value: T) {
    const name: unknown = Reflect.get(value, 'name');
    this.key = `${typeof name === 'string' ? name : ''}#${identityOf(value)}`;
    this.#value = value;
  }

  /** The value; undefined in another thread. */
  static valueIn<T extends object>(holder: HostValue<T> | undefined): T | undefined {
    return holder instanceof HostValue ? holder.#value : undefined;
  }

  [PORTABLE](): undefined {
    return undefined;
  }
}
