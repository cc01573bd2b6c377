import { PortTransport } from '../port-transport.ts';
import { callsAsJson, callsWithParts } from './calls-as-json.ts';
import { withoutParts } from './json-batch.ts';
import { joinResults, resultsWithValues } from './results-as-json.ts';

/**
 * The caller's end of a port to a thread that passes calls on to a process. Calls whose arguments JSON keeps as they are go
 * as one text, which the thread need not read, and so do their results. All other messages are arrays of frames.
 */
export class CallerJsonPort extends PortTransport {
  override post(frames: readonly unknown[], transfer: readonly ArrayBuffer[] | undefined): void {
    this.send((transfer === undefined ? callsAsJson(frames) : undefined) ?? frames, transfer);
  }

  protected override framesOf(message: unknown): unknown[] {
    return typeof message === 'string' ? resultsWithValues(message) : (message as unknown[]);
  }
}

/** The end of the thread that passes the calls on. */
export class RelayJsonPort extends PortTransport {
  override post(frames: readonly unknown[], transfer: readonly ArrayBuffer[] | undefined): void {
    this.send(joinResults(frames) ?? withoutParts(frames), transfer);
  }

  protected override framesOf(message: unknown): unknown[] {
    return typeof message === 'string' ? callsWithParts(message) : (message as unknown[]);
  }
}
