import { type MessagePort, receiveMessageOnPort } from 'node:worker_threads';
import type { FrameTransport } from './transport.ts';

/** Carries messages between threads of one process. */
export class PortTransport implements FrameTransport {
  readonly #port: MessagePort;

  constructor(port: MessagePort) {
    this.#port = port;
  }

  post(frames: readonly unknown[], transfer: readonly ArrayBuffer[] | undefined): void {
    this.send(frames, transfer);
  }

  protected send(message: unknown, transfer: readonly ArrayBuffer[] | undefined): void {
    this.#port.postMessage(message, transfer);
  }

  /** The frames of a message. */
  protected framesOf(message: unknown): unknown[] {
    return message as unknown[];
  }

  onFrames(listener: (frames: unknown[]) => void): void {
    this.#port.on('message', (message) => listener(this.framesOf(message)));
  }

  onUnreadable(listener: (cause: unknown) => void): void {
    this.#port.on('messageerror', listener);
  }

  onClosed(listener: () => void): void {
    this.#port.on('close', listener);
  }

  *takeRest(): Generator<unknown[]> {
    for (let next = this.#next(); next !== undefined; next = this.#next()) yield this.framesOf(next.message);
  }

  ref(): void {
    this.#port.ref();
  }

  unref(): void {
    this.#port.unref();
  }

  close(): void {
    this.#port.close();
  }

  /** The next message in the port's queue; undefined if the queue is empty or the message cannot be read. */
  #next(): { message: unknown } | undefined {
    try {
      return receiveMessageOnPort(this.#port);
    } catch {
      return undefined;
    }
  }
}
