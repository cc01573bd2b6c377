import { setTimeout as sleep } from 'node:timers/promises';

export type ToChild<Request> = { readonly request: Request } | { readonly stop: true };
export type FromChild<Reply> =
  | { readonly ready: true }
  | { readonly reply: Reply }
  | { readonly error: string }
  | { readonly stopped: boolean };

// Some pools' destroy() may never resolve; that must cost a remark, not the round.
const CLOSE_MS = 2_000;

/** The child's side of `Child`: says that it is ready, answers requests, closes and exits when told to. */
export function answer<Request, Reply>(
  handle: (request: Request) => Promise<Reply>,
  close: () => Promise<void>,
): void {
  if (process.send === undefined) throw new Error('this file is started by the benchmark harness');
  const send = (message: FromChild<Reply>, sent: () => void = () => {}) => process.send?.(message, sent);

  process.on('message', async (message: ToChild<Request>) => {
    if ('stop' in message) {
      const stopped = await Promise.race([close().then(() => true), sleep(CLOSE_MS, false)]);
      send({ stopped }, () => process.exit(0));
      return;
    }
    try {
      send({ reply: await handle(message.request) });
    } catch (error) {
      send({ error: error instanceof Error ? (error.stack ?? error.message) : String(error) });
    }
  });
  // The parent is gone (interrupted, killed): nobody else would end us.
  process.once('disconnect', () => process.exit(1));
  send({ ready: true });
}
