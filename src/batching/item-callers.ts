import { StreamWindow } from '../channel/stream-window.ts';
import { StreamReader, type StreamSource } from '../handle/api/stream.ts';
import type { BatchItem, ItemCaller } from './batch-item.ts';

/** The number of values that a caller may be behind before the other streams of its batch wait for it. */
const MAX_AHEAD = 1_024;

/** The caller of an item that has one result. */
export class ResultCaller<O> implements ItemCaller<O> {
  readonly next: (value: O) => void;
  readonly fail: (error: unknown) => void;

  constructor(resolve: (value: O) => void, reject: (error: unknown) => void) {
    this.next = resolve;
    this.fail = reject;
  }

  end(): void {}
}

/** The caller of an item whose values are a stream. */
export class StreamCaller<I, O> implements ItemCaller<O>, StreamSource {
  readonly reader: StreamReader = new StreamReader(this);
  /** The item, unless it was refused. */
  item: BatchItem<I, O> | undefined = undefined;
  readonly #window = new StreamWindow(MAX_AHEAD);

  next(value: O): void {
    this.#window.sent(0);
    this.reader.push(value, 0);
  }

  end(): void {
    this.#window.close();
    this.reader.end();
  }

  fail(error: unknown): void {
    this.#window.close();
    this.reader.fail(error);
  }

  room(): Promise<void> {
    return this.#window.room();
  }

  credit(chunks: number): void {
    this.#window.credited(chunks);
  }

  cancel(): void {
    this.item?.cancel();
  }
}
