/** Times of the fleet's protocol, in ms. */
export interface FleetTiming {
  /** Period of the heartbeats in the store. */
  readonly beatMs: number;
  /** Life of a member's record without a heartbeat. */
  readonly recordTtlMs: number;
  /** Life of the lease without renewal. */
  readonly leaseTtlMs: number;
  /** Time that a leader acts after it sent its last successful renewal. Less than `leaseTtlMs`. */
  readonly leaseHoldMs: number;
  /** Pause between two candidates for a free lease. */
  readonly claimStepMs: number;
  /** Time after which a member without link and heartbeat is dead. */
  readonly deadMs: number;
  /** Time after which a member that refuses the connections of all others is dead. */
  readonly refusedDeadMs: number;
  /** Time after which a dead member is removed from the store's list. */
  readonly forgetMs: number;
  /** Time without a report of its host after which a leader does not renew its lease. */
  readonly hostTickMs: number;
  /** Period of the reports to the leader, and of its decisions. */
  readonly reportMs: number;
  /** Period of the complete reports. */
  readonly fullReportMs: number;
  /** Time without a report after which a member is silent. */
  readonly silentMs: number;
  /** Time for which a new leader removes nothing. */
  readonly removalDelayMs: number;
  /** Pause between two plans that remove replicas. */
  readonly removalStepMs: number;
  /** Time that the leader of a fleet without a plan waits for the first reports. */
  readonly settleMs: number;
  /** Time after its start after which an instance that reaches neither the store nor a peer acts alone. */
  readonly aloneMs: number;
  /** Time after which a version of the code without a live member is forgotten. */
  readonly versionForgetMs: number;
  /** Time that a member of a new version must be up before the version may lead. */
  readonly matureMs: number;
  /** Time, times the failures, for which a deployment that cannot start on an instance is not placed there. */
  readonly barredMs: number;
  /** Pause between two moves of one deployment that only balance it. */
  readonly moveEveryMs: number;
  /** Time after a member came or went for which no replica is moved for balance. */
  readonly moveQuietMs: number;
  /** Time after which a move whose new replica is not running is abandoned. */
  readonly moveTimeoutMs: number;
  /** Time after which an unanswered call to the store has failed. */
  readonly storeTimeoutMs: number;
  /** Time after which a command fails. */
  readonly commandMs: number;
  /** Time after which calls that wait without a replica or a leader get a first replica. */
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
