import { describe } from 'vitest';
import { fleetStoreConformance } from '../../test/support/fleet/fleet-store-suite.ts';
import { memoryFleetStore } from './memory-fleet-store.ts';

describe('the memory store', () => {
  fleetStoreConformance(async () => ({
    store: memoryFleetStore(),
    [Symbol.asyncDispose]: async () => {},
  }));
});
