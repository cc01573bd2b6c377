import type { CallMeta } from '../../channel/frames.ts';
import type { RawArguments } from '../../channel/inbound-call.ts';
import type { OutboundCall } from '../../channel/outbound-call.ts';
import { ServeError } from '../../errors.ts';
import { messageOf } from '../../values/describe-value.ts';
import { revive } from '../../values/revive.ts';
import { type EncodedValue, NO_ENCODING } from '../../values/transfer.ts';
import { InlineCall } from './inline-call.ts';

/** A call to a replica on the caller's own event loop whose values are copied, as on the way to a thread and back. */
export class CopiedCall extends InlineCall {
  readonly #args: unknown[];
  readonly #meta: CallMeta | undefined;

  /** @throws DataCloneError, or what reviving an argument throws */
  constructor(call: OutboundCall, method: number, onEnded: () => void) {
    super(call, method, onEnded);
    const { args, meta, marks, transfer } = call;
    const copy = structuredClone({ args, meta, marks }, { transfer: transfer ?? [] });
    if (copy.marks !== undefined) {
      revive(copy.args, copy.marks);
      if (copy.meta?.locals !== undefined) copy.meta.locals = revive(copy.meta.locals, copy.marks);
    }
    this.#args = copy.args as unknown[];
    this.#meta = copy.meta;
  }

  override get args(): unknown[] {
    return this.#args;
  }

  override get meta(): CallMeta | undefined {
    return this.#meta;
  }

  override get isByReference(): boolean {
    return false;
  }

  override raw(): RawArguments {
    return { args: this.#args, marks: undefined, meta: this.#meta };
  }

  override received(chunk: unknown, encoded: EncodedValue): unknown {
    return copied(chunk, encoded);
  }

  override result(value: unknown, encoded: EncodedValue): void {
    this.#copy(value, encoded, (copy) => super.result(copy, NO_ENCODING));
  }

  override error(error: unknown, encoded: EncodedValue): void {
    this.#copy(error, encoded, (copy) => super.error(copy, NO_ENCODING));
  }

  override open(head: unknown, encoded: EncodedValue): void {
    this.#copy(head, encoded, (copy) => super.open(copy, NO_ENCODING));
  }

  override chunk(value: unknown, encoded: EncodedValue): void {
    this.#copy(value, encoded, (copy) => super.chunk(copy, encoded));
  }

  /** Hands the copy on; where there is none, the call fails. */
  #copy(value: unknown, encoded: EncodedValue, then: (copy: unknown) => void): void {
    let copy: unknown;
    try {
      copy = copied(value, encoded);
    } catch (cause) {
      super.error(notCopied(this.call, cause), NO_ENCODING);
      return;
    }
    then(copy);
  }
}

/** @throws DataCloneError */
function copied(value: unknown, { marks, transfer }: EncodedValue): unknown {
  const copy = structuredClone({ value, marks }, { transfer: transfer ?? [] });
  return copy.marks === undefined ? copy.value : revive(copy.value, copy.marks);
}

export function notCopied({ method }: OutboundCall, cause: unknown): ServeError {
  return new ServeError('SERVE_NOT_SERIALIZABLE', `${method}: ${messageOf(cause)}`, { cause });
}
