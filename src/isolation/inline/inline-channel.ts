import type { CallChannel } from '../../channel/call-channel.ts';
import type { CancelCode } from '../../channel/frames.ts';
import { methodIndex, unknownMethod } from '../../channel/method-names.ts';
import type { OutboundCall } from '../../channel/outbound-call.ts';
import { loadTarget } from '../../deployment/registry.ts';
import { receiveHandles } from '../../handle/api/handle.ts';
import type { InlineLink } from '../../handle/routing/link.ts';
import { HOLDS_NOTHING } from '../../load/holding.ts';
import { RESERVED, type Reservation } from '../../load/load-table.ts';
import type { ReplicaModels } from '../../load/model-table.ts';
import { ReplicaTally } from '../../load/replica-tally.ts';
import type { IngressDescription } from '../../openapi/openapi-types.ts';
import { CallExecutor } from '../../replica/call-executor.ts';
import { ingressProtocol, routerProtocol } from '../../replica/ingress/protocol.ts';
import { UserCode } from '../../replica/user-code.ts';
import { beginBatch } from '../../time/clock.ts';
import { inRootContext } from '../../time/root-context.ts';
import { unpack } from '../../values/pack.ts';
import type { EncodedValue } from '../../values/transfer.ts';
import { CopiedCall, notCopied } from './copied-call.ts';
import { InlineCall } from './inline-call.ts';

const EVERY_MODEL: ReplicaModels = {
  keepsModels: true,
  count: 0,
  loadMs: 0,
  stalestAt: 0,
  holds: () => true,
  at: () => undefined,
};

/**
 * Creates the replica of an inline deployment on this thread, and the channel to it.
 * @param instance id of the instance that the handles of the replica belong to. Default: the only one of the thread
 */
export async function createInlineChannel(inline: InlineLink, instance = ''): Promise<InlineChannel> {
  const registration = await loadTarget(inline.module, inline.exportName);
  const args = receiveHandles(instance, () => unpack(inline.args) as unknown[]);
  const code = await UserCode.construct(registration, args);
  if (inline.userConfig !== undefined) await code.reconfigure(unpack(inline.userConfig));
  await code.checkHealth();
  return new InlineChannel(inline, code);
}

/**
 * A replica on the caller's own event loop. Values pass by reference, and its limit counts this thread alone: no other thread
 * calls it.
 */
export class InlineChannel implements CallChannel {
  readonly isInline = true;
  readonly tier = 'local';
  readonly wouldWait = false;
  readonly methods: ReadonlyMap<string, number>;
  limit: number;
  readonly tally = new ReplicaTally();
  readonly #code: UserCode;
  readonly #isByReference: boolean;
  readonly #replica: CallExecutor;
  readonly #open = new Map<OutboundCall, InlineCall>();
  #ongoing = 0;
  #served = 0;
  #closed = false;
  readonly #gone = Promise.withResolvers<void>();
  #onFreed: () => void = () => {};

  constructor(inline: InlineLink, code: UserCode) {
    const { app, deployment, replicaId, maxOngoingRequests } = inline;
    this.limit = maxOngoingRequests;
    this.#code = code;
    this.#isByReference = inline.isByReference;
    this.methods = new Map(code.methodNames.map((name, index) => [name, index]));
    const identity = { app, deployment, replicaId, rank: 0, gpus: [] };
    this.#replica = new CallExecutor(
      identity,
      code,
      code.makesRequests ? routerProtocol : ingressProtocol,
      this.tally,
    );
  }

  get ongoing(): number {
    return this.#ongoing;
  }

  get free(): number {
    return Math.max(0, this.limit - this.#ongoing);
  }

  /** No other replica exists to prefer. */
  readonly models: ReplicaModels = EVERY_MODEL;

  get served(): number {
    return this.#served;
  }

  onFreed(listener: () => void): void {
    this.#onFreed = listener;
  }

  get outstanding(): number {
    return this.#open.size;
  }

  readonly isStuck = false;

  isHeld(): boolean {
    return false;
  }

  readonly holding = HOLDS_NOTHING;

  room(): Reservation {
    if (this.#closed) return RESERVED.gone;
    return this.#ongoing >= this.limit ? RESERVED.full : RESERVED.ok;
  }

  /** A call begins as it is sent. */
  takeBack(): boolean {
    return false;
  }

  *waiting(): Generator<OutboundCall> {}

  running(): Iterable<OutboundCall> {
    return this.#open.keys();
  }

  reserve(): Reservation {
    const room = this.room();
    return room === RESERVED.ok ? this.reserveBeyondLimit() : room;
  }

  reserveToWait(): Reservation {
    return this.reserve();
  }

  reserveBeyondLimit(): Reservation {
    if (this.#closed) return RESERVED.gone;
    this.#ongoing++;
    return RESERVED.ok;
  }

  unreserve(): void {
    this.#ongoing--;
  }

  send(call: OutboundCall): void {
    const method = methodIndex(call.method, this.methods);
    if (method === undefined) {
      this.unreserve();
      call.failed(unknownMethod(call, this.methods));
      return;
    }
    if (!this.#isByReference) {
      this.#sendCopy(call, method);
      return;
    }
    const inbound = new InlineCall(call, method, () => this.#done(call));
    this.#open.set(call, inbound);
    const { origin } = call;
    // The call may have waited, and is sent as another call ends.
    if (origin === undefined) this.#replica.begin(inbound);
    else origin.runInAsyncScope(this.#replica.begin, this.#replica, inbound);
  }

  /** As in a thread, no async context of the caller reaches the replica. */
  #sendCopy(call: OutboundCall, method: number): void {
    let inbound: CopiedCall;
    try {
      inbound = new CopiedCall(call, method, () => this.#done(call));
    } catch (cause) {
      this.unreserve();
      beginBatch();
      call.failed(notCopied(call, cause));
      return;
    }
    this.#open.set(call, inbound);
    inRootContext(() => this.#replica.begin(inbound));
  }

  cancel(call: OutboundCall, code: CancelCode): void {
    this.#open.get(call)?.listener?.cancelled(code);
  }

  credit(call: OutboundCall, chunks: number): void {
    this.#open.get(call)?.listener?.credited(chunks);
  }

  upload(call: OutboundCall, chunk: unknown, encoded: EncodedValue): void {
    const inbound = this.#open.get(call);
    inbound?.listener?.uploaded(inbound.received(chunk, encoded), encoded.bytes);
  }

  endUpload(call: OutboundCall): void {
    this.#open.get(call)?.listener?.uploadEnded();
  }

  async reconfigure(userConfig: unknown): Promise<void> {
    await this.#code.reconfigure(userConfig);
  }

  get ended(): Promise<void> {
    return this.#gone.promise;
  }

  describe(): Promise<IngressDescription> {
    return this.#code.describe();
  }

  /** Accepts no new calls; the running ones finish, then the destructor runs. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#replica.drain();
    if (this.#ongoing === 0) this.#dispose();
  }

  /** The caller has received its answer. */
  #done(call: OutboundCall): void {
    this.#open.delete(call);
    this.#ongoing--;
    this.#served++;
    if (this.#closed && this.#ongoing === 0) this.#dispose();
    else this.#onFreed();
  }

  #dispose(): void {
    // A destructor that throws must not take the host down.
    this.#code.dispose().then(this.#gone.resolve, () => this.#gone.resolve());
  }
}
