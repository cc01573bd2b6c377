import type { Marks } from '../../values/marks.ts';
import { Call } from './call.ts';

/** A call whose answers are only passed on: no value of them is revived on this thread. */
export abstract class RawCall extends Call {
  /** Marks of the value or the error that is being delivered. */
  protected rawMarks: Marks | undefined = undefined;

  override get wantsRaw(): boolean {
    return true;
  }

  override succeeded(value: unknown, marks?: Marks): void {
    this.rawMarks = marks;
    super.succeeded(value, marks);
  }

  override failed(error: unknown, marks?: Marks): void {
    this.rawMarks = marks;
    super.failed(error, marks);
  }

  override opened(head: unknown, marks?: Marks): void {
    this.rawMarks = marks;
    super.opened(head);
  }

  override chunk(value: unknown, bytes: number, marks?: Marks): void {
    this.rawMarks = marks;
    super.chunk(value, bytes);
  }
}
