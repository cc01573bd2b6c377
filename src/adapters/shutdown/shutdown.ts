import type { Logger } from '../../observe/logger.ts';
import { within } from '../../time/timeout.ts';
import { HttpSockets } from './http-sockets.ts';
import type { ShutdownOptions, StoppableServer } from './shutdown-options.ts';
import { Signals } from './signals.ts';

/** The time that destructors of replicas have at least, in ms, when requests have used up all of the limit. */
const LEAST_CLOSE_MS = 1_000;

/** The instance behind a server. */
export interface ServingInstance {
  readonly log: Logger;
  /** Makes the instance not ready; it keeps serving. */
  drain(): void;
  /** Ends all apps. */
  close(timeoutMs: number): Promise<void>;
}

/**
 * Ends a server and the instance behind it without losing a request: not ready → wait → no new connections → requests end →
 * connections close → apps end.
 *
 * @returns once everything has ended
 */
export async function shutDown(
  { servers, close }: StoppableServer,
  instance: ServingInstance,
  { signals: names, drainDelayMs, timeoutMs }: Required<ShutdownOptions>,
): Promise<void> {
  const signals = new Signals(names);
  const all = servers.map((server) => new HttpSockets(server));
  const { log } = instance;
  try {
    const signal = names.length === 0 ? undefined : await signals.first;
    const what = `not ready for ${drainDelayMs} ms, then requests have ${timeoutMs} ms to end`;
    const hint = signal === undefined ? '' : `; ${signal} again ends the process at once`;
    log.info({ signal, drainDelayMs, timeoutMs }, `shutting down: ${what}${hint}`);
    instance.drain();
    for (const sockets of all) sockets.endAfterAnswers();
    await new Promise((resolve) => setTimeout(resolve, drainDelayMs));

    const stoppedAt = performance.now();
    const leftMs = (): number => Math.max(LEAST_CLOSE_MS, timeoutMs - (performance.now() - stoppedAt));
    for (const sockets of all) sockets.stopListening();
    await within(timeoutMs, Promise.all(all.map(({ drained }) => drained)));
    const cut = all.reduce((sum, sockets) => sum + sockets.destroyBusy(), 0);
    if (cut > 0)
      log.warn(
        { connections: cut },
        `closed ${cut} connections whose requests took longer than ${timeoutMs} ms`,
      );
    await within(leftMs(), closeFramework(close, log));
    // WebSockets end with the apps.
    await instance.close(leftMs());
    await within(leftMs(), Promise.all(all.map(({ closed }) => closed)));
    for (const sockets of all) sockets.destroyAll();
    log.info({}, 'shut down');
  } finally {
    for (const sockets of all) sockets.close();
    signals.close();
  }
}

/** A hook of the host that throws keeps nothing else from ending. */
async function closeFramework(close: () => unknown, log: Logger): Promise<void> {
  try {
    await close();
  } catch (err) {
    log.error({ err }, 'closing the server failed');
  }
}
