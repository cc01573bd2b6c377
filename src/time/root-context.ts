import { AsyncLocalStorage } from 'node:async_hooks';

/**
 * Runs work in the async context in which the library was loaded, which belongs to no call. Objects that outlive the call
 * that makes them (threads, channels, timers that are armed again) would otherwise run in the context of that call for ever,
 * and keep its stores in memory.
 */
export const inRootContext: <R>(work: () => R) => R = AsyncLocalStorage.snapshot();
