import { AsyncLocalStorage } from 'node:async_hooks';

/**
 * Runs work in the async context in which the library was loaded, which is that of no call. What lives longer than the call
 * that makes it (threads, channels, timers that are armed again) would otherwise run in the context of that call for ever,
 * and keep its stores in memory.
 */
export const inRootContext: <R>(work: () => R) => R = AsyncLocalStorage.snapshot();
