import { FRAME } from '../channel/frames.ts';
import { FAULT, malformed, WireError } from './wire-error.ts';

/**
 * Frames between instances, beside those of `channel/frames.ts` (docs/wire.md). After its kind each frame gives the
 * number of its fields, so that a peer can skip frames of a later version.
 */
export const PEER_FRAME = {
  /** version, instance, epoch, nonce, max payload in bytes, views, key. The first frame of a link, from the dialer. */
  hello: 32,
  /** The fields of `hello`: the answer where the peers have to prove that they know the secret. */
  challenge: 33,
  /** proof of the dialer */
  proof: 34,
  /** proof of the listener. The link is open. */
  welcome: 35,
  /** endpoint, calls: number of calls that may be under way from now on */
  window: 36,
  /** id, window: the call has not begun, and no place is free for it here */
  refused: 37,
  /** id: the call has not begun, and the caller sends no other one until it is told a window */
  moved: 38,
  /** id, length of the head, lengths of the large binaries: a frame that follows in parts */
  large: 39,
  /** id, bytes: this many bytes after the head of this message belong to the first large frame of the id */
  part: 40,
  /** id: the large frames of the id end here, and frames that wait behind them are dropped */
  abandon: 41,
  /** what the listener serves (cluster/peers/endpoint-table.ts) */
  status: 42,
  /** No fields: no new calls. */
  draining: 46,
  /** number */
  ping: 47,
  /** number of the ping */
  pong: 48,
  /** document of the fleet's protocol (cluster/node/events.ts) */
  control: 49,
} as const;

/** Frames between a replica's thread and the child process that runs the user's code. No peer sends them. */
export const CHILD_FRAME = {
  /** message, serialized: between the replica's thread and the agent in the child, as over a control port */
  control: 64,
  /** state of the child's event loop and calls (`isolation/child/node/child-state.ts`) */
  state: 65,
} as const;

/** Frames of this and higher kinds carry the number of their fields. */
const FIRST_COUNTED = 32;

/** Id of large frames that belong to no call. */
export const NO_CALL = -1;

/** Maximum id: ids are indices of arrays, and no link has as many calls open. */
const MAX_ID = 0xff_ffff;

/** Type of a field; a `value` is any captured value, which is lowered. */
type Field = 'id' | 'count' | 'number' | 'method' | 'value' | 'counts' | 'marks';

/** Fields after the kind. The arguments of a call are described where they are read. */
const FIELDS: ReadonlyMap<number, readonly Field[]> = new Map<number, readonly Field[]>([
  [FRAME.cancel, ['id', 'count']],
  [FRAME.result, ['id', 'value']],
  [FRAME.resultMarked, ['id', 'value', 'marks']],
  [FRAME.error, ['id', 'value', 'marks']],
  [FRAME.open, ['id', 'value', 'marks']],
  [FRAME.chunk, ['id', 'value', 'count']],
  [FRAME.chunkMarked, ['id', 'value', 'count', 'marks']],
  [FRAME.end, ['id']],
  [FRAME.credit, ['id', 'count']],
  [FRAME.batched, ['id', 'count']],
  [FRAME.ran, ['id', 'count']],
  [FRAME.lost, ['id', 'value', 'marks']],
  [FRAME.answer, ['id', 'value', 'count', 'count', 'count']],
  [FRAME.answerMarked, ['id', 'value', 'marks', 'count', 'count', 'count']],
  [FRAME.ranAt, ['id', 'count', 'count', 'count']],
  [PEER_FRAME.window, ['count', 'count']],
  [PEER_FRAME.refused, ['id', 'count']],
  [PEER_FRAME.moved, ['id']],
  [PEER_FRAME.large, ['id', 'count', 'counts']],
  [PEER_FRAME.part, ['id', 'count']],
  [PEER_FRAME.abandon, ['id']],
  [PEER_FRAME.status, ['value']],
  [PEER_FRAME.draining, []],
  [PEER_FRAME.ping, ['number']],
  [PEER_FRAME.pong, ['number']],
  [PEER_FRAME.control, ['value']],
  [CHILD_FRAME.control, ['value']],
  [CHILD_FRAME.state, ['value']],
]);

/** Fields between the kind of a call and its arguments. Over a link, `number` is the number of the endpoint. */
const CALL: readonly Field[] = ['id', 'count', 'method', 'number', 'count'];
const EXTRA: readonly Field[] = ['value', 'marks'];

/** A frame in the form of threads: without the number of its fields. */
export interface Parsed {
  readonly kind: number;
  readonly frame: readonly unknown[];
  /** Index of the next frame. */
  readonly next: number;
}

/**
 * Reads the frame at `at`. Undefined fields at its end count as present.
 *
 * @returns `frame` is undefined for a frame of a later version of the protocol, which is skipped
 * @throws WireError
 */
export function frameAt(slots: readonly unknown[], at: number): Parsed | { frame: undefined; next: number } {
  const kind = slots[at];
  if (typeof kind !== 'number') throw malformed('the kind of a frame is not a number');
  if (kind === FRAME.call || kind === FRAME.callExtra) return callAt(slots, at, kind);
  const fields = FIELDS.get(kind);
  if (kind >= FIRST_COUNTED) {
    const count = slots[at + 1];
    const next = at + 2 + (isCount(count) ? count : Infinity);
    if (next > slots.length) throw malformed(`frame ${kind} exceeds its message`);
    if (fields === undefined) {
      if (isHandshake(kind))
        throw new WireError(FAULT.frame, `frame ${kind} is not allowed after the handshake`);
      return { frame: undefined, next };
    }
    if (count !== fields.length) throw malformed(`frame ${kind} has ${count} fields`);
    check(slots, at + 2, fields, kind);
    return { kind, frame: [kind, ...slots.slice(at + 2, next)], next };
  }
  if (fields === undefined)
    throw new WireError(FAULT.frame, `frame ${kind} does not exist between instances`);
  const next = at + 1 + fields.length;
  check(slots, at + 1, fields, kind);
  return { kind, frame: slots.slice(at, next), next };
}

function callAt(slots: readonly unknown[], at: number, kind: number): Parsed {
  check(slots, at + 1, CALL, kind);
  const args = at + 1 + CALL.length + (slots[at + CALL.length] as number);
  if (args > slots.length) throw malformed('a call lacks arguments');
  const next = kind === FRAME.call ? args : args + EXTRA.length;
  if (kind === FRAME.callExtra) check(slots, args, EXTRA, kind);
  return { kind, frame: slots.slice(at, next), next };
}

function check(slots: readonly unknown[], from: number, fields: readonly Field[], kind: number): void {
  if (from + fields.length > slots.length) throw malformed(`frame ${kind} lacks fields`);
  for (let index = 0; index < fields.length; index++) {
    if (!isField(slots[from + index], fields[index] as Field))
      throw malformed(`field ${index} of frame ${kind} is no ${fields[index]}`);
  }
}

function isField(value: unknown, field: Field): boolean {
  switch (field) {
    case 'id':
      return isCount(value) ? value <= MAX_ID : value === NO_CALL;
    case 'count':
      return isCount(value);
    case 'number':
      return typeof value === 'number' && Number.isFinite(value);
    case 'method':
      return Number.isSafeInteger(value) && (value as number) >= -2;
    case 'counts':
      return Array.isArray(value) && value.every(isCount);
    case 'marks':
      return value === undefined || Array.isArray(value);
    case 'value':
      return true;
  }
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isHandshake(kind: number): boolean {
  return kind >= PEER_FRAME.hello && kind <= PEER_FRAME.welcome;
}

/** Slots of a frame's values and of its marks; undefined for a frame without marks. */
export interface ValuePlaces {
  readonly from: number;
  readonly to: number;
  readonly marks: number | undefined;
}

/** Returns the slots of a frame that hold captured values. */
export function valuesOf(frame: readonly unknown[]): ValuePlaces {
  const [kind] = frame;
  if (kind === FRAME.call) return { from: 6, to: frame.length, marks: undefined };
  if (kind === FRAME.callExtra) return { from: 6, to: frame.length - 1, marks: frame.length - 1 };
  const fields = FIELDS.get(kind as number);
  const from = (fields?.indexOf('value') ?? -1) + 1;
  const marks = (fields?.indexOf('marks') ?? -1) + 1;
  return from === 0 ? NO_VALUES : { from, to: from + 1, marks: marks === 0 ? undefined : marks };
}

const NO_VALUES: ValuePlaces = { from: 0, to: 0, marks: undefined };

/** Returns the id that a frame belongs to; `NO_CALL` if it belongs to no call. */
export function idOf(frame: readonly unknown[]): number {
  const kind = frame[0] as number;
  const isOfCall = kind < FIRST_COUNTED || FIELDS.get(kind)?.[0] === 'id';
  return isOfCall ? (frame[1] as number) : NO_CALL;
}

/** Whether a frame opens a call. */
export function isCall(kind: unknown): boolean {
  return kind === FRAME.call || kind === FRAME.callExtra;
}

/** Whether a frame has captured values. */
export function carriesValues(frame: readonly unknown[]): boolean {
  return valuesOf(frame).to > 0;
}

/** Returns the name of a value in an error. @param index index of the value among the frame's values */
export function nameOfValue([kind, , , , , args]: readonly unknown[], index: number): string {
  if (!isCall(kind)) return 'result';
  return index < (args as number) ? `arg ${index}` : 'context';
}

/** Ids of the calls that frames of this side open. @param slots as `pushFrame` appended them */
export function* callsIn(slots: readonly unknown[]): Generator<number> {
  for (let at = 0; at < slots.length; ) {
    const kind = slots[at] as number;
    if (isCall(kind)) {
      yield slots[at + 1] as number;
      at += 1 + CALL.length + (slots[at + CALL.length] as number);
      if (kind === FRAME.callExtra) at += EXTRA.length;
    } else if (kind >= FIRST_COUNTED) {
      at += 2 + (slots[at + 1] as number);
    } else {
      at += 1 + (FIELDS.get(kind)?.length ?? 0);
    }
  }
}

/** Appends the slots of a frame on the wire, whose values are lowered already. */
export function pushFrame(slots: unknown[], frame: readonly unknown[]): void {
  const kind = frame[0] as number;
  slots.push(kind);
  if (kind >= FIRST_COUNTED) slots.push(frame.length - 1);
  for (let index = 1; index < frame.length; index++) slots.push(frame[index]);
}
