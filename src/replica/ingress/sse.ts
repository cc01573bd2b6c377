import { invalidOption } from '../../errors.ts';
import { anything, type Fields, milliseconds, parseOptions } from '../../validation/fields.ts';
import { isThenable, whenSettled } from '../../validation/thenable.ts';
import { type BodySource, fromIterable, fromReadable } from './response-stream.ts';

/** One event of a stream, as the HTML standard names its fields. */
export interface ServerSentEvent {
  /** Text of any number of lines; any other value is sent as JSON. */
  data?: unknown;
  /** Type of the event. An event without a type is received by the page's `onmessage`. */
  event?: string;
  /** Id of the event, which a page that lost the connection sends as the header `last-event-id`. */
  id?: string | number;
  /** Time for which a page waits before it connects again, in ms. */
  retry?: number;
  /** A comment, which pages do not see. */
  comment?: string;
}

/** Options of `sse()`. */
export interface SseOptions {
  /** Time without an event after which a comment is sent to keep the connection open, in ms; 0 = never. Default 15 000. */
  heartbeatMs?: number;
  /** Further headers of the response. */
  headers?: ConstructorParameters<typeof Headers>[0];
}

const OPTIONS: Fields<SseOptions> = { heartbeatMs: milliseconds(), headers: anything() };

const HEADERS = {
  'content-type': 'text/event-stream; charset=utf-8',
  // Compression and caches would hold events back.
  'cache-control': 'no-cache, no-transform',
  // nginx buffers proxied responses unless this header forbids it.
  'x-accel-buffering': 'no',
};

const FIELDS: ReadonlySet<string> = new Set(['data', 'event', 'id', 'retry', 'comment']);
/** The fields that identify an event. An object with none of them is data, such as `{ id: 7 }`. */
const TELLING = ['data', 'event', 'retry', 'comment'] as const;

const HEARTBEAT = ':\n\n';
const ENDED: IteratorResult<string> = { done: true, value: undefined };

/**
 * Returns a `Response` that sends the items of an iterable or a stream as server-sent events, each as soon as it is available.
 * When the client disconnects, the iterable's `finally` blocks run.
 *
 * An item is text, a `ServerSentEvent` (an object with `data`, `event`, `retry` or `comment` and no other fields but `id`),
 * or any other value, which is sent as JSON.
 *
 * @throws ServeError `SERVE_INVALID_OPTION`
 */
export function sse(
  events: AsyncIterable<unknown> | Iterable<unknown> | ReadableStream,
  options: SseOptions = {},
): Response {
  const { heartbeatMs = 15_000, headers } = parseOptions<SseOptions>(options, OPTIONS, 'sse');
  const all = new Headers(headers);
  for (const [name, value] of Object.entries(HEADERS)) if (!all.has(name)) all.set(name, value);
  const source = new EventSource(sourceOf(events), heartbeatMs);
  const response = new Response(streamOf(source), { headers: all });
  sources.set(response, source);
  return response;
}

function sourceOf(events: unknown): BodySource {
  if (events instanceof ReadableStream) return fromReadable(events);
  if (typeof events === 'object' && events !== null) {
    if (Symbol.asyncIterator in events) return fromIterable(events as AsyncIterable<unknown>);
    if (Symbol.iterator in events) return fromIterable(events as Iterable<unknown>);
  }
  throw invalidOption('sse(events)', events, 'an iterable, an async iterable or a ReadableStream');
}

/** The events of each `Response` that `sse()` made, which a replica sends without reading the `Response`. */
const sources = new WeakMap<Response, EventSource>();

/** @internal The events of a response that `sse()` made, as pieces of its body; undefined if another reader has the body already. */
export function eventsOf(response: Response): BodySource | undefined {
  const events = sources.get(response);
  return events === undefined || response.bodyUsed || response.body?.locked ? undefined : events;
}

/** A stream that takes no event before it is read. */
function streamOf(events: EventSource): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const { done, value } = await events.next();
        if (done === true) controller.close();
        else controller.enqueue(encoder.encode(value));
      },
      cancel: () => events.close(),
    },
    { highWaterMark: 0 },
  );
}

/** The text of one event after the other, and a comment where the reader waits for long. */
class EventSource implements BodySource {
  readonly #source: BodySource;
  readonly #heartbeatMs: number;
  #heartbeat: NodeJS.Timeout | undefined = undefined;
  #isQuiet = true;
  #isReading = false;
  #isClosed = false;
  /** An event that came after a comment was sent in its place. */
  #ready: Promise<IteratorResult<string>> | undefined = undefined;
  #waiting: PromiseWithResolvers<IteratorResult<string>> | undefined = undefined;

  constructor(source: BodySource, heartbeatMs: number) {
    this.#source = source;
    this.#heartbeatMs = heartbeatMs;
  }

  next(): Promise<IteratorResult<string>> {
    if (this.#isClosed) return Promise.resolve(ENDED);
    const ready = this.#ready;
    if (ready !== undefined) {
      this.#ready = undefined;
      return ready;
    }
    if (this.#heartbeat === undefined && this.#heartbeatMs > 0)
      this.#heartbeat = setInterval(this.#beat, this.#heartbeatMs).unref();
    this.#waiting = Promise.withResolvers();
    const { promise } = this.#waiting;
    if (!this.#isReading) this.#read();
    return promise;
  }

  /** Ends the events at once, also while the source waits: its reader must not wait for a source that may never go on. */
  close(): void {
    this.#isClosed = true;
    this.#leave();
    this.#waiting?.resolve(ENDED);
    this.#waiting = undefined;
  }

  #leave(): void {
    clearInterval(this.#heartbeat);
    this.#source.close();
  }

  /** Reads with callbacks instead of `await`: with thousands of streams a promise per event is most of an event's cost. */
  #read(): void {
    this.#isReading = true;
    try {
      const read = this.#source.next();
      if (isThenable(read)) whenSettled(read, this.#arrived, this.#failed);
      else this.#arrived(read);
    } catch (error) {
      this.#failed(error);
    }
  }

  readonly #arrived = (result: unknown): void => {
    let event: IteratorResult<string>;
    try {
      const { done, value } = result as IteratorResult<unknown>;
      if (done === true) clearInterval(this.#heartbeat);
      event = done === true ? ENDED : { done: false, value: formatEvent(value) };
    } catch (error) {
      this.#failed(error);
      return;
    }
    const waiting = this.#taken();
    if (waiting === undefined) this.#ready = Promise.resolve(event);
    else waiting.resolve(event);
  };

  readonly #failed = (error: unknown): void => {
    this.#leave();
    const waiting = this.#taken();
    if (waiting !== undefined) {
      waiting.reject(error);
      return;
    }
    this.#ready = Promise.reject(error);
    this.#ready.catch(() => {});
  };

  /** The reader that waits for the event that has been read; undefined if it got a comment in its place. */
  #taken(): PromiseWithResolvers<IteratorResult<string>> | undefined {
    this.#isReading = false;
    this.#isQuiet = false;
    const waiting = this.#waiting;
    this.#waiting = undefined;
    return waiting;
  }

  readonly #beat = (): void => {
    const waiting = this.#waiting;
    if (this.#isQuiet && waiting !== undefined) {
      this.#waiting = undefined;
      waiting.resolve({ done: false, value: HEARTBEAT });
    }
    this.#isQuiet = true;
  };
}

/** @internal The text of one event, with the empty line that ends it. @throws TypeError for a field that would break it */
export function formatEvent(item: unknown): string {
  if (typeof item === 'string') return `${lines('data:', item)}\n`;
  const { data, event, id, retry, comment } = toEvent(item);
  let text = '';
  if (comment !== undefined) text += lines(':', oneOfText('comment', comment));
  if (event !== undefined) text += `event: ${oneLine('event', event)}\n`;
  if (id !== undefined) text += `id: ${oneLine('id', id)}\n`;
  if (retry !== undefined) text += `retry: ${wholeMs(retry)}\n`;
  // Without data pages hear nothing of an event.
  if (data !== undefined) text += lines('data:', typeof data === 'string' ? data : toJson(data));
  else if (event !== undefined) text += 'data:\n';
  return `${text}\n`;
}

function toEvent(item: unknown): ServerSentEvent {
  if (typeof item !== 'object' || item === null) return { data: item ?? null };
  const isEvent =
    TELLING.some((name) => Object.hasOwn(item, name)) && Object.keys(item).every((key) => FIELDS.has(key));
  return isEvent ? item : { data: item };
}

function lines(name: string, text: string): string {
  if (!text.includes('\n') && !text.includes('\r')) return `${name} ${text}\n`;
  return text
    .split(/\r\n|\n|\r/)
    .map((line) => `${name} ${line}\n`)
    .join('');
}

function toJson(data: unknown): string {
  const text = JSON.stringify(data);
  if (text === undefined) throw new TypeError(`data: a ${typeof data} cannot be sent as JSON`);
  return text;
}

function oneOfText(name: string, value: unknown): string {
  if (typeof value !== 'string')
    throw new TypeError(`${name}: a text is needed, and this is ${typeof value}`);
  return value;
}

function oneLine(name: string, value: unknown): string {
  const text = typeof value === 'number' ? String(value) : oneOfText(name, value);
  if (/[\r\n\0]/.test(text)) throw new TypeError(`${name}: no line break and no NUL may stand in it`);
  return text;
}

function wholeMs(value: unknown): number {
  if (Number.isSafeInteger(value) && (value as number) >= 0) return value as number;
  throw new TypeError('retry: whole milliseconds are needed');
}
