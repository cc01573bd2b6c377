/**
 * Carries messages between the two ends of a channel, in order and each at most once. A message is one flat array of frames
 * (`frames.ts`).
 */
export interface FrameTransport {
  /**
   * Sends a message.
   *
   * @param transfer buffers that move with it
   * @throws what the serializer refuses: nothing was sent then
   */
  post(frames: readonly unknown[], transfer: readonly ArrayBuffer[] | undefined): void;
  /** Hears of each message that arrives; none is lost that came before. */
  onFrames(listener: (frames: unknown[]) => void): void;
  /** Hears of a message that arrived and cannot be read. */
  onUnreadable(listener: (cause: unknown) => void): void;
  /** The other end is gone, or this one was closed. All that the other end had sent has arrived. */
  onClosed(listener: () => void): void;
  /** Messages that have arrived and that nothing has heard of yet. */
  takeRest(): Iterable<unknown[]>;
  /** Keeps the thread alive, which is so from the start. */
  ref(): void;
  /** The thread may end while the transport is open. */
  unref(): void;
  close(): void;
}
