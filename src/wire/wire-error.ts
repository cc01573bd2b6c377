/** Reasons for which this side closes a link, used as a metric label. */
export const FAULT = {
  /** The bytes are not a message: truncated, garbage, wrong counts, wrong fields. */
  malformed: 'malformed',
  /** A value is nested too deeply. */
  depth: 'depth',
  /** A size or count exceeds its limit. */
  limit: 'limit',
  /** The extension type does not exist. */
  extension: 'extension',
  /** The frame does not exist or is not allowed here. */
  frame: 'frame',
  /** The peer did not prove that it knows the secret. */
  unauthorized: 'unauthorized',
  /** The peers have no protocol version in common. */
  version: 'version',
  /** The peer did not prove itself in time. */
  late: 'late',
} as const;
export type Fault = (typeof FAULT)[keyof typeof FAULT];

/** A peer broke the protocol. The link ends, since no later data can be trusted. */
export class WireError extends Error {
  readonly fault: Fault;

  constructor(fault: Fault, message: string) {
    super(message);
    this.name = 'WireError';
    this.fault = fault;
  }
}

export function malformed(what: string): WireError {
  return new WireError(FAULT.malformed, what);
}

/** Counts of refused messages by reason, for metrics. Several links may share them. */
export class FaultCounts {
  readonly #counts = new Map<Fault, number>();

  add(fault: Fault): void {
    this.#counts.set(fault, this.of(fault) + 1);
  }

  of(fault: Fault): number {
    return this.#counts.get(fault) ?? 0;
  }
}
