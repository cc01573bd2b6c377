/** Kinds of resources that end by themselves: requests to the system, and callbacks of this turn. */
const ENDING = /^(?:FSReq|Immediate|WriteWrap|ShutdownWrap|\w*ReqWrap|\w*ConnectWrap)/;

/** The remains of a replica in its thread that decide how the thread may be ended. */
export interface Remains {
  /** User code left timers, sockets or the like open, for which the event loop never runs dry. */
  readonly hasLeftovers: boolean;
  /** Native addons were loaded. Their work may be under way, which Node does not tell; it ends by itself. */
  readonly hasAddons: boolean;
}

/**
 * Watches from now on whether this thread loads native addons.
 * @returns what is left in the thread at the time of the call
 */
export function watchRemains(): () => Remains {
  const { dlopen } = process;
  let hasAddons = false;
  process.dlopen = (...args) => {
    hasAddons = true;
    Reflect.apply(dlopen, process, args);
  };
  return () => ({
    hasLeftovers: process.getActiveResourcesInfo().some((kind) => !ENDING.test(kind)),
    hasAddons,
  });
}
