import { CANCEL_CODE, type CancelCode, FRAME, type PackedMeta, unpackMeta } from '../../../channel/frames.ts';
import { ServeError } from '../../../errors.ts';
import { PRIORITIES } from '../../../handle/queue/priority.ts';
import { now } from '../../../time/clock.ts';
import { isPlainObject } from '../../../validation/fields.ts';
import type { Marks } from '../../../values/marks.ts';
import { packError } from '../../../values/pack.ts';
import { NO_ENCODING } from '../../../values/transfer.ts';
import type { Session } from '../../../wire/handshake.ts';
import type { Frame } from '../../../wire/large-receiver.ts';
import { Link } from '../../../wire/link.ts';
import type { LinkEvents, LinkTraffic } from '../../../wire/link-options.ts';
import type { LinkSocket } from '../../../wire/link-socket.ts';
import { PEER_FRAME } from '../../../wire/peer-frames.ts';
import type { FaultCounts } from '../../../wire/wire-error.ts';
import type { EndpointsStatus } from '../endpoint-table.ts';
import { methodAt } from '../served-deployment.ts';
import type { ServedDeployments } from '../served-deployments.ts';
import { InboundBroadcast } from './inbound-broadcast.ts';
import { InboundPeerCall, type OpenInboundCall } from './inbound-call.ts';
import { InboundPort } from './inbound-port.ts';
import { KeyedPeerCall } from './keyed-call.ts';

/** Rank of a call that names no priority, as of `normal`. */
const NORMAL_RANK = 1;

/** Receives the events of one link for the owner of the links. */
export interface InboundLinkListener {
  /** A document of the fleet's protocol arrived. */
  control(instance: string, document: unknown): void;
  closed(link: InboundLink): void;
}

/** The times that a link reckons with, in ms. */
export interface LinkPace {
  /** Upper bound of the time for which a frame has waited that is read now, at the time `at` of `clock.now()`. */
  lateMsAt(at: number): number;
  /** Round trip to the peer; 0 = unknown. */
  readonly rttMs: number;
}

/** The listener's end of a link: takes the calls of one thread of a peer. */
export class InboundLink implements LinkEvents {
  readonly session: Session;
  readonly #link: Link;
  readonly #served: ServedDeployments;
  readonly #pace: LinkPace;
  readonly #listener: InboundLinkListener;
  /** Open calls by id. */
  readonly #calls: Array<OpenInboundCall | undefined> = [];
  readonly #ports = new Map<number, InboundPort>();

  /**
   * @param counts counts what is refused
   * @param traffic counts the bytes of the link
   */
  constructor(
    session: Session,
    socket: LinkSocket,
    maxPayload: number,
    served: ServedDeployments,
    pace: LinkPace,
    listener: InboundLinkListener,
    counts?: FaultCounts,
    traffic?: LinkTraffic,
  ) {
    this.session = session;
    this.#served = served;
    this.#pace = pace;
    this.#listener = listener;
    const { maxPayload: peerMaxPayload, views: peerViews } = session;
    this.#link = new Link(socket, this, { maxPayload, peerMaxPayload, peerViews, traffic, counts });
    this.tell(served.describe());
  }

  /** Tells the peer about deployments of this instance, and the windows of those that are new. */
  tell(status: EndpointsStatus): void {
    if (status.endpoints.length === 0 && status.gone.length === 0) return;
    this.#link.post([PEER_FRAME.status, status]);
    for (const { number } of status.endpoints) this.#port(number);
    for (const number of status.gone) {
      this.#ports.get(number)?.close();
      this.#ports.delete(number);
    }
  }

  /** Accepts no more calls. */
  drain(): void {
    this.#link.post([PEER_FRAME.draining]);
  }

  /** Ends the link. Calls that are open are answered before, so that the caller knows which ones were not read. */
  close(): void {
    const { value, marks } = packError(new ServeError('SERVE_UNAVAILABLE', 'the instance is closed'));
    for (const [id, call] of this.#calls.entries())
      if (call !== undefined) this.#link.post([FRAME.lost, id, value, marks]);
    this.#link.close();
  }

  frames(frames: readonly Frame[]): void {
    for (const frame of frames) this.#frame(frame);
  }

  /** The caller is gone: its calls are no longer awaited. */
  closed(): void {
    for (const call of this.#calls) call?.cancelled(CANCEL_CODE.cancelled);
    for (const port of this.#ports.values()) port.close();
    this.#ports.clear();
    this.#listener.closed(this);
  }

  #frame(frame: Frame): void {
    const [kind, id] = frame as readonly [number, number];
    switch (kind) {
      case FRAME.call:
      case FRAME.callExtra:
        this.#arrived(kind, frame);
        return;
      case FRAME.cancel:
        this.#cancel(id, frame[2] as CancelCode);
        return;
      case FRAME.chunk:
        this.#calls[id]?.upload?.(frame[2], { ...NO_ENCODING, bytes: frame[3] as number });
        return;
      case FRAME.end:
        this.#calls[id]?.endUpload?.();
        return;
      case FRAME.credit:
        this.#calls[id]?.credit?.(frame[2] as number);
        return;
      case PEER_FRAME.window:
        this.#ports.get(id)?.declined();
        return;
      case PEER_FRAME.control:
        this.#listener.control(this.session.instance, frame[1]);
        return;
    }
  }

  #arrived(kind: number, frame: Frame): void {
    const [, id, number, index, remaining, argc] = frame as readonly number[] as readonly [
      number,
      number,
      number,
      number,
      number,
      number,
    ];
    const endpoint = this.#served.endpoint(number);
    const port = endpoint === undefined ? undefined : this.#port(number);
    const method = endpoint === undefined ? undefined : methodAt(endpoint, index);
    const end = 6 + argc;
    const meta = kind === FRAME.callExtra ? unpackMeta(frame[end] as PackedMeta) : undefined;
    if (port === undefined || method === undefined || this.#calls[id] !== undefined || !isMeta(meta)) {
      this.#link.post([PEER_FRAME.moved, id]);
      return;
    }
    let deadlineAt = 0;
    if (remaining !== 0) {
      const at = now();
      const leftMs = remaining - this.#pace.lateMsAt(at);
      if (leftMs <= 0) {
        this.#expired(id);
        return;
      }
      deadlineAt = at + leftMs;
    }
    if (meta?.fanOut === true) {
      const marks = frame[end + 1] as Marks | undefined;
      this.#calls[id] = new InboundBroadcast(this.#link, port, method, {
        id,
        args: frame.slice(6, end),
        meta,
        marks,
        deadlineAt,
      });
      return;
    }
    const refusal = port.admit();
    if (refusal !== undefined) {
      this.#link.post([PEER_FRAME.refused, id, refusal]);
      return;
    }
    const { route } = port.served;
    const call = new InboundPeerCall(route, method, id, port);
    call.args = frame.slice(6, end);
    // Copying them to the replica's thread would cost more than they took over the link. A call that does not begin goes back
    // to its caller, which still has them.
    const large = this.#link.largeOf(frame);
    if (large !== undefined) call.transfer = [...large];
    call.meta = meta;
    if (kind === FRAME.callExtra) call.marks = frame[end + 1] as Marks | undefined;
    call.priorityRank = meta?.priority ?? NORMAL_RANK;
    if (meta?.idempotencyKey !== undefined) {
      const keyed = new KeyedPeerCall(call, port, deadlineAt);
      this.#calls[id] = keyed;
      port.served.keyed.take(keyed, meta.idempotencyKey);
      return;
    }
    // Parts of the body wait until a replica takes the call.
    if (meta?.upload !== undefined) call.uploaded = [];
    this.#calls[id] = call;
    route.begin(call, deadlineAt);
    route.dispatchAccepted(call);
  }

  /** The deadline of a call passed before the call was read. */
  #expired(id: number): void {
    const late = new ServeError('SERVE_TIMEOUT', 'the deadline passed before the peer read the call');
    const { value, marks } = packError(late);
    this.#link.post([FRAME.error, id, value, marks]);
  }

  #cancel(id: number, code: CancelCode): void {
    const call = this.#calls[id];
    if (call === undefined) return;
    this.#link.cancel(id);
    call.cancelled(code);
  }

  #port(number: number): InboundPort | undefined {
    const known = this.#ports.get(number);
    if (known !== undefined) return known;
    const served = this.#served.deployment(number);
    if (served === undefined) return undefined;
    const port = new InboundPort(
      served,
      number,
      this.#link,
      () => this.#pace.rttMs,
      () => this.#served.lookAtModels(served),
      (id) => {
        this.#calls[id] = undefined;
      },
    );
    this.#ports.set(number, port);
    return port;
  }
}

/** Whether the metadata of a call has a form in which a route can read it. */
function isMeta(meta: unknown): boolean {
  if (meta === undefined) return true;
  if (!isPlainObject(meta)) return false;
  const { requestId, tenant, sessionId, multiplexedModelId, idempotencyKey, priority, fanOut, upload } =
    meta as Record<string, unknown>;
  if (fanOut !== undefined && fanOut !== true) return false;
  // A body cannot be compared with that of another call.
  if (idempotencyKey !== undefined && upload !== undefined) return false;
  const isRank = priority === undefined || PRIORITIES[priority as number] !== undefined;
  const texts = [requestId, tenant, sessionId, multiplexedModelId, idempotencyKey];
  return isRank && texts.every(isOptionalText);
}

function isOptionalText(value: unknown): boolean {
  return value === undefined || typeof value === 'string';
}
