import { FRAME, RAN_UNITS_PER_MS } from '../../../channel/frames.ts';
import { type Collector, loop } from '../../../time/loop.ts';
import type { Marks } from '../../../values/marks.ts';
import { packError, rawError } from '../../../values/pack.ts';
import type { Link } from '../../../wire/link.ts';
import { PEER_FRAME } from '../../../wire/peer-frames.ts';
import { type LargeOwner, PASSED_ON } from '../../../wire/sent-memory.ts';
import type { ServedDeployment } from '../served-deployment.ts';
import type { HostCaller } from '../windows/host-caller.ts';
import type { AnsweredCall, InboundAnswers, InboundPeerCall } from './inbound-call.ts';

/** One endpoint as one link sees it: answers the calls that arrive there, and tells the caller its window. */
export class InboundPort implements InboundAnswers, Collector {
  readonly served: ServedDeployment;
  readonly #number: number;
  readonly #link: Link;
  readonly #caller: HostCaller;
  readonly #onModel: () => void;
  readonly #onOver: (id: number) => void;
  #isCollected = false;
  /** Number of calls without a last frame. */
  #open = 0;
  #isClosed = false;

  /**
   * @param onModel a call that named a model is about to be answered
   * @param onOver the last frame of a call was posted
   */
  constructor(
    served: ServedDeployment,
    number: number,
    link: Link,
    rttMs: () => number,
    onModel: () => void,
    onOver: (id: number) => void,
  ) {
    this.served = served;
    this.#number = number;
    this.#link = link;
    this.#onModel = onModel;
    this.#onOver = onOver;
    this.#caller = served.windows.join((window) => this.#tell(window), rttMs);
  }

  /**
   * Decides about a call that arrived.
   *
   * @returns undefined if the call is admitted, else the window of the refusal
   */
  admit(): number | undefined {
    const { windows } = this.served;
    if (!windows.admit(this.#caller)) return windows.refusedWith(this.#caller);
    this.#open++;
    return undefined;
  }

  /** A call for all replicas came, which needs no room here. */
  entered(): void {
    this.#open++;
    this.#caller.inFlight++;
    // The call takes the caller's window up as any other does.
    if (this.#caller.isFull) this.#tellSoon();
  }

  /** The last frame of a call for all replicas was posted. */
  left(id: number): void {
    this.#caller.inFlight--;
    this.#tellSoon();
    this.#over(id);
  }

  /** The caller has no call for the room that is kept for it. */
  declined(): void {
    this.served.windows.declined(this.#caller);
  }

  /** No more calls arrive. */
  close(): void {
    this.#isClosed = true;
    if (this.#open === 0) this.served.windows.leave(this.#caller);
  }

  begun(): void {
    this.served.windows.begun(this.#caller);
    // The replica says for how many calls it is open once this one has begun.
    if (this.#caller.isFull) this.#tellSoon();
  }

  takenBack(): void {
    this.served.takenBack();
  }

  result(call: AnsweredCall, value: unknown, marks: Marks | undefined): void {
    const { id } = call;
    const [replica, waited, ran] = this.#whereRan(call);
    this.#last(
      call,
      marks === undefined
        ? [FRAME.answer, id, value, replica, waited, ran]
        : [FRAME.answerMarked, id, value, marks, replica, waited, ran],
      call.sharesResult ? undefined : PASSED_ON,
    );
  }

  error(call: AnsweredCall, error: unknown, marks: Marks | undefined): void {
    this.#failed(FRAME.error, call, error, marks);
  }

  lost(call: AnsweredCall, error: unknown): void {
    this.#failed(FRAME.lost, call, error, undefined);
  }

  givenBack(call: AnsweredCall): void {
    if (!this.#isClosed) this.served.windows.givenBack(this.#caller);
    this.#last(call, [PEER_FRAME.moved, call.id]);
  }

  end(call: AnsweredCall): void {
    this.#last(call, [FRAME.end, call.id]);
  }

  open(call: InboundPeerCall, head: unknown, marks: Marks | undefined): void {
    this.#post(call, [FRAME.open, call.id, head, marks]);
  }

  chunk(call: InboundPeerCall, value: unknown, bytes: number, marks: Marks | undefined): void {
    const { id } = call;
    this.#post(
      call,
      marks === undefined ? [FRAME.chunk, id, value, bytes] : [FRAME.chunkMarked, id, value, bytes, marks],
    );
  }

  credit(call: InboundPeerCall, chunks: number): void {
    this.#link.post([FRAME.credit, call.id, chunks]);
  }

  /** Tells the caller its window if it has changed. */
  flush(): void {
    this.#isCollected = false;
    if (this.#isClosed) return;
    const window = this.served.windows.changed(this.#caller);
    if (window !== undefined) this.#tell(window);
  }

  #failed(
    kind: typeof FRAME.error | typeof FRAME.lost,
    call: AnsweredCall,
    error: unknown,
    marks: Marks | undefined,
  ): void {
    const packed = rawError(error, marks);
    this.#last(call, [kind, call.id, packed.value, packed.marks]);
  }

  /** Posts a frame that may be refused by the codec: the call fails then. */
  #post(call: InboundPeerCall, frame: readonly unknown[]): void {
    try {
      this.#link.post(frame, PASSED_ON);
    } catch (error) {
      call.refused(error);
    }
  }

  /** Posts the last frame of a call. @param owner owner of the large binaries */
  #last(call: AnsweredCall, frame: readonly unknown[], owner?: LargeOwner): void {
    const { windows } = this.served;
    // The caller learns before the answer where its next call for the model is quick.
    if (call.modelKey !== undefined) this.#onModel();
    windows.ended(this.#caller, call.hasBegun);
    this.#tellSoon();
    const { id, batchSize } = call;
    if (batchSize !== undefined) this.#link.post([FRAME.batched, id, batchSize]);
    // Results say it themselves, in a frame less.
    if (frame[0] === FRAME.error || frame[0] === FRAME.end)
      this.#link.post([FRAME.ranAt, id, ...this.#whereRan(call)]);
    try {
      this.#link.post(frame, owner);
    } catch (error) {
      const { value, marks } = packError(error);
      this.#link.post([FRAME.error, id, value, marks]);
    }
    this.#over(id);
  }

  #over(id: number): void {
    this.#onOver(id);
    this.#open--;
    if (this.#isClosed && this.#open === 0) this.served.windows.leave(this.#caller);
  }

  /** The replica's number, how long the call waited here, and how long it ran; see `FRAME.ranAt`. */
  #whereRan({ endpoint, queuedMs, ranMs = 0 }: AnsweredCall): [number, number, number] {
    const waited = queuedMs === 0 ? 0 : Math.ceil(queuedMs * RAN_UNITS_PER_MS);
    const ran = ranMs === 0 ? 0 : Math.ceil(ranMs * RAN_UNITS_PER_MS);
    return [this.served.numberOf(endpoint?.replicaId), waited, ran];
  }

  #tellSoon(): void {
    if (this.#isCollected) return;
    this.#isCollected = true;
    loop.collect(this);
  }

  #tell(window: number): void {
    if (!this.#isClosed) this.#link.post([PEER_FRAME.window, this.#number, window]);
  }
}
