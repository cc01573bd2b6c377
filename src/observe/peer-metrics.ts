import type { Add } from './samples.ts';

/** The calls of an instance to its peers, for its metrics. */
export interface PeerSample {
  /** Calls that were sent; a call that came back and was sent again counts twice. */
  readonly calls: number;
  /** Calls that peers gave back since no place was free for them. */
  readonly refused: number;
  readonly ejections: number;
  /** Bytes over links to and from peers, before TLS. */
  readonly sentBytes: number;
  readonly receivedBytes: number;
  /** Round trips in ms, by instance. */
  readonly rttMs: ReadonlyMap<string, number>;
}

/** Adds the metrics of calls between instances; they have no samples outside a fleet. */
export function addPeerMetrics(add: Add, read: () => PeerSample | undefined): void {
  const count = (name: string, help: string, value: (sample: PeerSample) => number): void =>
    add(name, 'counter', help, () => {
      const sample = read();
      return sample === undefined ? [] : [{ value: value(sample), labels: {} }];
    });
  count(
    'peer_calls_total',
    'Calls sent to other instances; a call that came back and was sent again counts twice.',
    ({ calls }) => calls,
  );
  const refused = 'Calls that other instances gave back since no place was free for them.';
  count('peer_refused_total', refused, (sample) => sample.refused);
  const ejections = 'Times that another instance was left out because links to it failed.';
  count('peer_ejections_total', ejections, (sample) => sample.ejections);
  add('peer_bytes_total', 'counter', 'Bytes over links between instances, by direction.', () => {
    const sample = read();
    if (sample === undefined) return [];
    return [
      { value: sample.receivedBytes, labels: { direction: 'in' } },
      { value: sample.sentBytes, labels: { direction: 'out' } },
    ];
  });
  add('peer_rtt_seconds', 'gauge', 'Round trip to another instance.', () =>
    [...(read()?.rttMs ?? [])].map(([instance, ms]) => ({ value: ms / 1_000, labels: { instance } })),
  );
}
