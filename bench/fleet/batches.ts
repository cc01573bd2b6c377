import { Packr } from 'msgpackr';
import type { Served, Session } from './session.ts';
import { type Ends, type Request, type Small, work } from './work.ts';

/** Calls per message; more of one turn go into further messages. */
const MAX_CALLS = 16;

export interface Channel {
  /** A large value leaves alone: one buffer for a batch of them would have to grow. */
  send(id: number, value: unknown): void;
  receive(message: Uint8Array): void;
}

/**
 * One end of a channel whose messages are flat arrays `[id, value, id, value, …]`; both ends run this. All that is sent
 * within a turn of the event loop goes out in its check phase.
 */
export function openChannel(
  post: (message: Uint8Array) => void,
  onValue: (id: number, value: unknown) => void,
): Channel {
  const codec = new Packr({ useRecords: false, moreTypes: false });
  let batch: unknown[] = [];
  let isScheduled = false;
  const flush = (): void => {
    const values = batch;
    batch = [];
    if (values.length > 0) post(codec.pack(values));
  };
  return {
    send(id, value) {
      if (isLarge(value)) {
        post(codec.pack([id, value]));
        return;
      }
      batch.push(id, value);
      if (batch.length >= 2 * MAX_CALLS) flush();
      if (isScheduled) return;
      isScheduled = true;
      setImmediate(() => {
        isScheduled = false;
        flush();
      });
    },
    receive(message) {
      const values = codec.unpack(message) as unknown[];
      for (let index = 0; index < values.length; index += 2)
        onValue(values[index] as number, values[index + 1]);
    },
  };
}

function isLarge(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'bytes' in value;
}

/** The calling end: promises by number. */
export function openCaller(post: (message: Uint8Array) => void): {
  receive(message: Uint8Array): void;
  session(close: () => Promise<void>): Session;
} {
  const open = new Map<number, (value: unknown) => void>();
  let lastId = 0;
  const channel = openChannel(post, (id, value) => {
    const resolve = open.get(id);
    open.delete(id);
    resolve?.(value);
  });
  const call = (request: Request): Promise<unknown> =>
    new Promise((resolve) => {
      open.set(++lastId, resolve);
      channel.send(lastId, request);
    });
  return {
    receive: channel.receive,
    session: (close) => ({
      echo: (payload) => call(payload) as Promise<Small>,
      measure: (bytes) => call({ bytes }) as Promise<Ends>,
      close,
    }),
  };
}

/** The called end, which does the work on its own thread. */
export function openWorker(post: (message: Uint8Array) => void): Channel {
  const channel = openChannel(post, async (id, request) => channel.send(id, await work(request as Request)));
  return channel;
}

/** Waits for a server to listen. */
export async function listening(
  server: {
    listen(port: number, host: string, listener: () => void): unknown;
    address(): unknown;
  },
  close: () => void,
): Promise<Served> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  return { port, close: async () => close() };
}
