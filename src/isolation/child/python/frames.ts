/** Version of the protocol between a gateway and its runner; both come from one package. */
export const PROTOCOL = 1;

/** Kinds of frames. `python/inserve/_wire.py` has the same numbers. */
export const FRAME = {
  /** `[kind, id, method, [args, kwargs?], marks, meta]` */
  call: 0,
  /** `[kind, id, 0 = cancelled | 1 = timeout]` */
  cancel: 1,
  /** `[kind, id, chunks]` */
  credit: 2,
  /** `[kind, id, value, marks?]` */
  result: 3,
  /** `[kind, id, envelope, marks]` */
  error: 4,
  /** `[kind, id, value, marks?]` */
  chunk: 5,
  /** `[kind, id]` */
  end: 6,
  /** `[kind, id]` */
  open: 7,
  /** `[kind, id, question, value, marks]` */
  ask: 8,
  /** `[kind, id, value, marks]` */
  answer: 9,
  /** `[kind, id, envelope, marks]` */
  refusal: 10,
  /** `[kind, id, parent call or −1, handle, [method, options], [args, kwargs?], marks]` */
  child: 11,
  /** `[kind, [level, logger, message, requestId, route]]` */
  log: 12,
  /** `[kind, resident bytes, CPU seconds]` */
  tick: 13,
  /** `[kind, [kind of metric, name, options, value, labels]]` */
  metric: 14,
  /** `[kind, ids or 0, load time in ms or 0]` */
  models: 15,
  /** `[kind, protocol, Python version, pid]` */
  hello: 16,
  /** The outcome of a call that Python made, and the control of its stream. */
  childResult: 17,
  childError: 18,
  childChunk: 19,
  childEnd: 20,
  childCancel: 21,
  childCredit: 22,
  /** `[kind, method, max batch size, wait in ms]`: other options of a batched method; null = unchanged */
  batch: 23,
} as const;

/** A frame as it arrives: a list that begins with its kind. */
export type Frame = readonly [kind: number, ...rest: unknown[]];

/** The metadata of a call for Python; undefined members are omitted. */
export interface CallMeta {
  /** Time until the deadline, in ms. */
  readonly d?: number | undefined;
  readonly r?: string | undefined;
  readonly m?: string | undefined;
  readonly t?: string | undefined;
  readonly s?: string | undefined;
  readonly p?: Readonly<Record<string, string>> | undefined;
  readonly l?: unknown;
  readonly mp?: string | undefined;
  readonly ip?: string | undefined;
  readonly route?: string | undefined;
  /** Set if the result answers an HTTP request. */
  readonly h?: 1 | undefined;
  /** In a batch: one per item. */
  readonly b?: readonly CallMeta[] | undefined;
}
