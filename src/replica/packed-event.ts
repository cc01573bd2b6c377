import type { DirectoryEvent } from '../handle/routing/directory.ts';
import { type Packed, packError, unpack } from '../values/pack.ts';

/** An event as it crosses a thread: errors do not survive `postMessage`, so its error travels beside it. */
export interface PackedEvent {
  readonly event: DirectoryEvent;
  readonly error?: Packed;
}

export function packEvent(event: DirectoryEvent): PackedEvent {
  if (!('error' in event)) return { event };
  return { event: { ...event, error: undefined }, error: packError(event.error) };
}

export function unpackEvent({ event, error }: PackedEvent): DirectoryEvent {
  return error === undefined ? event : ({ ...event, error: unpack(error) } as DirectoryEvent);
}
