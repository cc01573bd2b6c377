import { AsyncResource } from 'node:async_hooks';
import { EventEmitter } from 'node:events';
import { Duplex, PassThrough, Readable, Stream, Transform, Writable } from 'node:stream';
import { BATCHED } from '../batching/batch.ts';
import { MULTIPLEXED } from '../handle/api/model-loader.ts';

/** Members that belong to a handle; a class that defines any of them is refused. */
export const RESERVED_NAMES: readonly string[] = ['remote', 'options', 'broadcast', 'map', 'then', 'bind'];

/** Hooks and protocol methods, which are never remote. */
const LIFECYCLE = new Set([
  'constructor',
  'reconfigure',
  'checkHealth',
  'recordAutoscalingStats',
  'fetch',
  'websocket',
]);

const NODE_BASES = new Set<object>(
  [EventEmitter, EventTarget, AsyncResource, Stream, Readable, Writable, Duplex, Transform, PassThrough].map(
    (base) => base.prototype,
  ),
);

/** Whether the chain of user classes ends here: built-in and `node:` base classes are not searched. */
function isBuiltIn(prototype: object): boolean {
  if (prototype === Object.prototype || NODE_BASES.has(prototype)) return true;
  const maker: unknown = Object.hasOwn(prototype, 'constructor')
    ? Reflect.get(prototype, 'constructor')
    : undefined;
  return typeof maker === 'function' && Function.prototype.toString.call(maker).includes('[native code]');
}

/** The prototypes of user classes, the most derived first. */
function* userPrototypes(from: object): Generator<object> {
  for (
    let prototype: object | null = from;
    prototype !== null;
    prototype = Object.getPrototypeOf(prototype)
  ) {
    if (isBuiltIn(prototype)) return;
    yield prototype;
  }
}

/** Whether a method of this name is remote: not private by convention, no hook, and no name of the handle's own. */
export function isRemoteName(name: string): boolean {
  return !name.startsWith('_') && !LIFECYCLE.has(name) && !RESERVED_NAMES.includes(name);
}

/**
 * The remote methods of an instance: public string-named methods of its classes, and its own function fields (which is
 * how `batch()` fields appear). Accessors are never called.
 */
export function remoteMethods(instance: object): string[] {
  const names = new Set<string>();
  for (const prototype of userPrototypes(Object.getPrototypeOf(instance))) {
    for (const [name, { value }] of Object.entries(Object.getOwnPropertyDescriptors(prototype))) {
      if (typeof value === 'function' && isRemoteName(name)) names.add(name);
    }
  }
  for (const [name, { value }] of Object.entries(Object.getOwnPropertyDescriptors(instance))) {
    if (typeof value === 'function' && BATCHED in value)
      Object.defineProperty(value, 'name', { value: name });
    if (typeof value === 'function' && isRemoteName(name) && !(MULTIPLEXED in value)) names.add(name);
  }
  return [...names];
}

/** Reserved names that a class defines. */
export function reservedMethods(target: Function): string[] {
  const names: string[] = [];
  for (const prototype of userPrototypes(target.prototype)) {
    names.push(...Object.getOwnPropertyNames(prototype).filter((name) => RESERVED_NAMES.includes(name)));
  }
  return names;
}

/** Tells a class from a function: `class` syntax, or methods on the prototype (down-levelled classes). */
export function isClass(target: Function): boolean {
  if (/^class\b/.test(Function.prototype.toString.call(target))) return true;
  const prototype: unknown = target.prototype;
  if (typeof prototype !== 'object' || prototype === null) return false;
  return Object.getOwnPropertyNames(prototype).some((name) => name !== 'constructor');
}
