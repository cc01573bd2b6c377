/** Times of the fleet's protocol, in ms. */
export interface FleetTiming {
  /** Period of the heartbeats in the store. */
  readonly beatMs: number;
  /** Life of a member's record without a heartbeat. */
  readonly recordTtlMs: number;
  /** Life of the lease without renewal. */
  readonly leaseTtlMs: number;
  /** A leader acts for so long after it sent its last renewal that succeeded. Less than `leaseTtlMs`. */
  readonly leaseHoldMs: number;
  /** Pause between two candidates for a free lease. */
  readonly claimStepMs: number;
  /** A member without link and heartbeat is dead after so long. */
  readonly deadMs: number;
  /** A member that refuses the connections of all others is dead after so long. */
  readonly refusedDeadMs: number;
  /** A dead member is removed from the store's list after so long. */
  readonly forgetMs: number;
  /** A leader whose host has not reported for so long does not renew its lease. */
  readonly hostTickMs: number;
  /** Period of the reports to the leader, and of its decisions. */
  readonly reportMs: number;
  /** Period of the complete reports. */
  readonly fullReportMs: number;
  /** A member that has not reported for so long is silent. */
  readonly silentMs: number;
  /** A new leader removes nothing for so long. */
  readonly removalDelayMs: number;
  /** Pause between two plans that remove replicas. */
  readonly removalStepMs: number;
  /** The leader of a fleet without a plan waits so long for the first reports. */
  readonly settleMs: number;
  /** An instance that reaches neither the store nor a peer for so long after its start acts alone. */
  readonly aloneMs: number;
  /** A version of the code without a live member is forgotten after so long. */
  readonly versionForgetMs: number;
  /** A new version of the code may lead once one of its members has been up for so long. */
  readonly matureMs: number;
  /** A deployment that cannot start on an instance is not placed there for so long, times the failures. */
  readonly barredMs: number;
  /** Pause between two moves of one deployment that only balance it. */
  readonly moveEveryMs: number;
  /** No replica is moved for balance for so long after a member came or went. */
  readonly moveQuietMs: number;
  /** A move whose new replica is not running after so long is given up. */
  readonly moveTimeoutMs: number;
  /** A call to the store that is not answered for so long has failed. */
  readonly storeTimeoutMs: number;
  /** A command fails after so long. */
  readonly commandMs: number;
  /** Calls that wait without a replica or a leader get a first replica after so long. */
  readonly demandMs: number;
  /** Pause between two alarms of one cause. */
  readonly alarmMs: number;
  readonly declarationTtlMs: number;
  readonly documentTtlMs: number;
}

export const FLEET_TIMING: FleetTiming = {
  beatMs: 2_000,
  recordTtlMs: 10_000,
  leaseTtlMs: 15_000,
  leaseHoldMs: 10_000,
  claimStepMs: 250,
  deadMs: 10_000,
  refusedDeadMs: 4_000,
  forgetMs: 600_000,
  hostTickMs: 10_000,
  reportMs: 250,
  fullReportMs: 5_000,
  silentMs: 5_000,
  removalDelayMs: 15_000,
  removalStepMs: 1_000,
  settleMs: 500,
  aloneMs: 3_000,
  versionForgetMs: 60_000,
  matureMs: 30_000,
  barredMs: 60_000,
  moveEveryMs: 10_000,
  moveQuietMs: 30_000,
  moveTimeoutMs: 60_000,
  storeTimeoutMs: 1_000,
  commandMs: 1_000,
  demandMs: 1_000,
  alarmMs: 60_000,
  declarationTtlMs: 3_600_000,
  documentTtlMs: 7 * 24 * 3_600_000,
};
