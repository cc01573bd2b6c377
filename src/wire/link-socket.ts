/** Carries whole messages: a WebSocket, or a stream with length framing. */
export interface LinkSocket {
  /** Number of bytes that were handed over and are not in the kernel. */
  readonly unsent: number;
  /** Registers the listener of all further events. */
  listen(events: LinkSocketEvents): void;
  /** @param onWritten the message has left this process */
  send(pieces: readonly Uint8Array[], onWritten?: () => void): void;
  /**
   * Limits the bytes that are read from now on, with all that the transport adds; undefined ends the limit. Beyond it the
   * connection ends after what `onExceeded` sends, and nothing more is read.
   */
  limitReading?(bytes: number | undefined, onExceeded?: () => void): void;
  /** Ends the connection after the sent messages. @param code close code of a WebSocket */
  close(code: number, reason: string): void;
  /** Ends the connection at once. */
  destroy(): void;
}

export interface LinkSocketEvents {
  /** @param pieces of the message; if there are several, they are only valid during the call */
  message(pieces: readonly Uint8Array[]): void;
  /** Called once, as the last event. @param error the failure; undefined for an orderly end */
  closed(error: Error | undefined): void;
}
