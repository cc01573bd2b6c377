/**
 * The wire between a caller thread and a replica: a message is one flat array of frames (docs/protocol.md), each a kind
 * followed by its fields. Flat, because structured clone pays per object: 64 calls in one message cost 0.46 µs
 * each, one message per call about 3 µs.
 *
 * The caller numbers its calls with small ids that it reuses only after the call's last frame, so both sides keep their
 * open calls in a plain array.
 */
export const FRAME = {
  /** id, number, method, deadline, argc, …args */
  call: 0,
  /** id, number, method, deadline, argc, …args, meta (or just its request id), marks */
  callExtra: 1,
  /** id, code: `CANCEL_CODE` */
  cancel: 2,
  /** id, value. The last frame of a unary call. */
  result: 3,
  /** id, value, marks */
  resultMarked: 4,
  /** id, value, marks. The last frame of a failed call. */
  error: 5,
  /** id, head, marks: the result is a stream, its chunks follow */
  open: 6,
  /** id, value, bytes */
  chunk: 7,
  /** id, value, bytes, marks */
  chunkMarked: 8,
  /** id. The last frame of a stream. */
  end: 9,
  /** id, chunks: the reader consumed this many chunks */
  credit: 10,
  /** id, items: the call runs in a batch of this many items */
  batched: 11,
  /** segment: room for more slots in the link's ledger, for the calls that follow */
  slots: 12,
  /** id, run time of the call in units of 10 µs; its last frame follows */
  ran: 13,
  /** id, error, marks. The last frame of a call whose replica is gone behind a relay: the call had begun. */
  lost: 14,
  /**
   * id, args, meta, marks. The last frame of a call that a relay gives back: the call has not begun. The fields behind the id
   * are undefined unless memory may have moved with the call, which its caller lacks then.
   */
  returned: 15,
  /**
   * id, value, replica, waited, ran: the last frame of a unary call that ran in another instance, with what `ranAt` says. Only
   * between instances.
   */
  answer: 16,
  /** id, value, marks, replica, waited, ran: the same with marked values */
  answerMarked: 17,
  /**
   * id, replica, waited, ran: the call runs, or has run, at this replica of another instance, and waited there; both times in
   * units of 10 µs, 0 = not timed. The replica is its number in the peer's description over a link, its id from a relay.
   */
  ranAt: 18,
} as const;
export type FrameKind = (typeof FRAME)[keyof typeof FRAME];

export const CANCEL_CODE = { cancelled: 0, timeout: 1 } as const;
export type CancelCode = (typeof CANCEL_CODE)[keyof typeof CANCEL_CODE];

/** Indices in the place of a method: the ingress protocols of adapters/http.ts and adapters/websocket. */
export const METHOD_HTTP = -1;
export const METHOD_WEBSOCKET = -2;

/** Metadata of a call beside its arguments; absent if empty. */
export interface CallMeta {
  requestId?: string;
  /** Route of the HTTP request that the call belongs to. */
  route?: string;
  /** W3C trace context. */
  traceparent?: string;
  /** W3C vendor data that accompanies `traceparent`. */
  tracestate?: string;
  multiplexedModelId?: string;
  tenant?: string;
  sessionId?: string;
  priority?: number;
  /** Calls with the key that reach the same thread share one execution. */
  idempotencyKey?: string;
  locals?: unknown;
  params?: Readonly<Record<string, string>>;
  ip?: string;
  mountPath?: string;
  /** The call is for every replica of the instance that it reaches, which answers with all outcomes (`fan-out.ts`). */
  fanOut?: true;
  /** The caller streams a body along with the call (chunks, then `end`): at once, or once the replica asks for it. */
  upload?: 'eager' | 'lazy';
}

/** Metadata as they cross: text if they consist of the four parts below, as those of most calls do. */
export type PackedMeta = CallMeta | string | undefined;

/** The parts of a text of metadata, in their order; the last ones may be missing, and a missing one before them is empty. */
const TEXT_PARTS: ReadonlySet<string> = new Set(['requestId', 'route', 'ip', 'mountPath']);
const BORDER = '\n';

/**
 * Packs metadata. Those of a child call or of an HTTP request go as text: an object with three members costs both threads 0.5 µs
 * more.
 */
export function packMeta(meta: CallMeta | undefined): PackedMeta {
  if (meta?.requestId === undefined) return meta;
  for (const key in meta) if (!TEXT_PARTS.has(key)) return meta;
  const { requestId, route = '', ip = '', mountPath = '' } = meta;
  if (ip === '' && mountPath === '') return route === '' ? requestId : requestId + BORDER + route;
  // No id and no route holds a line break; the other parts come from the host.
  if (ip.includes(BORDER) || mountPath.includes(BORDER)) return meta;
  return requestId + BORDER + route + BORDER + ip + (mountPath === '' ? '' : BORDER + mountPath);
}

export function unpackMeta(packed: PackedMeta): CallMeta | undefined {
  if (typeof packed !== 'string') return packed;
  const [requestId = '', route = '', ip = '', mountPath = ''] = packed.split(BORDER);
  const meta: CallMeta = { requestId };
  if (route !== '') meta.route = route;
  if (ip !== '') meta.ip = ip;
  if (mountPath !== '') meta.mountPath = mountPath;
  return meta;
}

/** Units of the times in the frames `ran`, `answer` and `ranAt`. */
export const RAN_UNITS_PER_MS = 100;

const CALL_FIXED = 6;

/** Number of array slots that the frame at `at` takes. */
export function frameLength(frames: readonly unknown[], at: number): number {
  switch (frames[at] as FrameKind) {
    case FRAME.call:
      return CALL_FIXED + (frames[at + 5] as number);
    case FRAME.callExtra:
      return CALL_FIXED + (frames[at + 5] as number) + 2;
    case FRAME.cancel:
    case FRAME.result:
    case FRAME.credit:
    case FRAME.batched:
    case FRAME.ran:
      return 3;
    case FRAME.resultMarked:
    case FRAME.error:
    case FRAME.open:
    case FRAME.chunk:
    case FRAME.lost:
      return 4;
    case FRAME.chunkMarked:
    case FRAME.ranAt:
    case FRAME.returned:
      return 5;
    case FRAME.answer:
      return 6;
    case FRAME.answerMarked:
      return 7;
    case FRAME.end:
    case FRAME.slots:
      return 2;
    default:
      throw new TypeError(`unknown frame kind ${String(frames[at])} at ${at} of ${frames.length}`);
  }
}
