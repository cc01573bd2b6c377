import type { OrderedActions } from '../../../src/instance/fleet/fleet-orders.ts';

/** The actions of an instance without apps. */
export const NO_ACTIONS: OrderedActions = {
  apps: () => [],
  readjust: async () => {},
  trialOf: () => undefined,
  promote: async () => {},
  closeTrial: async () => {},
  goBack: async () => {},
  deleteApp: async () => {},
  followTrials: () => {},
};
