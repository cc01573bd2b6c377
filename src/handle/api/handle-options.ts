import {
  boolean,
  type Fields,
  instanceOf,
  integer,
  milliseconds,
  oneOf,
  parseOptions,
  string,
} from '../../validation/fields.ts';
import { PRIORITIES } from '../queue/priority.ts';
import type { HandleOptions, MapOptions } from './handle-types.ts';
import { MODEL_ID } from './model-id.ts';

const signal = instanceOf<AbortSignal>('an AbortSignal', (value) => value instanceof AbortSignal);
const id = string('a string of 1 to 256 characters', /^[\s\S]{1,256}$/);

const HANDLE_FIELDS: Fields<HandleOptions> = {
  signal,
  timeoutMs: milliseconds(),
  multiplexedModelId: MODEL_ID,
  priority: oneOf(...PRIORITIES),
  tenant: id,
  sessionId: id,
  idempotencyKey: id,
  preferLocal: boolean(),
};

const MAP_FIELDS: Fields<MapOptions> = {
  concurrency: integer(1),
  ordered: boolean(),
  settle: boolean(),
  signal,
};

/** An option given as `undefined` resets the setting. */
export function parseHandleOptions(options: unknown): HandleOptions {
  const parsed = parseOptions<HandleOptions>(options, HANDLE_FIELDS, 'handle.options');
  const cleared = Object.fromEntries(Object.keys(options as object).map((name) => [name, undefined]));
  return { ...cleared, ...parsed };
}

export function parseMapOptions(options: unknown): MapOptions {
  return parseOptions<MapOptions>(options, MAP_FIELDS, 'map');
}
