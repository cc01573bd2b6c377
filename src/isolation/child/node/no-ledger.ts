import type { BeginLedger, StartLedger } from '../../../channel/start-ledger.ts';

/** A link to a process has no memory that both ends share: a call that was sent counts as begun. */
export const NO_LEDGER: StartLedger & BeginLedger = {
  hasSlot: () => true,
  grow: () => undefined,
  sent() {},
  takeBack: () => false,
  isWaiting: () => false,
  adopt() {},
  begin: () => true,
  unused: () => 0,
};
