/**
 * Carries messages between the two ends of a channel, in order and each at most once. A message is one flat array of frames
 * (`frames.ts`).
 */
export interface FrameTransport {
  /** Whether the caller's end measures for how long calls run; the replica's end does not report it then. Default false. */
  readonly timesRuns?: boolean;
  /**
   * Sends a message.
   *
   * @param transfer buffers that move with it
   * @throws the serializer's error; nothing was sent then
   */
  post(frames: readonly unknown[], transfer: readonly ArrayBuffer[] | undefined): void;
  /** Listens for messages; earlier messages are delivered as well. */
  onFrames(listener: (frames: unknown[]) => void): void;
  /** Listens for messages that cannot be read. */
  onUnreadable(listener: (cause: unknown) => void): void;
  /**
   * Listens for the end: the other end is gone, or this end was closed. All messages of the other end have arrived by
   * then.
   */
  onClosed(listener: () => void): void;
  /** Returns messages that have arrived and were not delivered yet. */
  takeRest(): Iterable<unknown[]>;
  /** Keeps the thread alive, which is the default. */
  ref(): void;
  /** The thread may end while the transport is open. */
  unref(): void;
  close(): void;
}
