/** Why a link was closed by this side: a label of what is counted. */
export const FAULT = {
  /** Bytes that are no message: truncated, garbage, wrong counts, wrong fields. */
  malformed: 'malformed',
  /** Nested too deeply. */
  depth: 'depth',
  /** Larger or more than what is allowed. */
  limit: 'limit',
  /** An extension type that does not exist. */
  extension: 'extension',
  /** A frame that does not exist, or that has no place here. */
  frame: 'frame',
  /** The peer did not prove that it knows the secret. */
  unauthorized: 'unauthorized',
  /** The peers have no protocol version in common. */
  version: 'version',
  /** The peer did not prove itself in time. */
  late: 'late',
} as const;
export type Fault = (typeof FAULT)[keyof typeof FAULT];

/** A peer broke the protocol. The link ends: nothing that comes after can be trusted. */
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
