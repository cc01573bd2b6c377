import { MessageChannel, receiveMessageOnPort, type Transferable } from 'node:worker_threads';
import { Capture } from '../../src/values/capture.ts';
import { type Packed, unpack } from '../../src/values/pack.ts';

/** What arrives at the other end of a real message channel. */
export function post(message: unknown, transfer: readonly Transferable[] = []): unknown {
  const { port1, port2 } = new MessageChannel();
  try {
    port1.postMessage(message, transfer);
    return receiveMessageOnPort(port2)?.message;
  } finally {
    port1.close();
  }
}

/** A value on its whole way to another thread: captured, posted, revived. */
export function send(value: unknown): unknown {
  const capture = new Capture();
  const captured = capture.take(value, 'send', 0);
  return unpack(post({ value: captured, marks: capture.marks }, capture.transfer) as Packed);
}
