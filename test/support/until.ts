import type { ManualClock, Serve, ServeEventName, ServeEvents } from '../../src/index.ts';

/** Resolves with the first event that fits. Rejects after `timeoutMs`: a test must not hang. */
export function event<K extends ServeEventName>(
  serve: Serve,
  name: K,
  fits: (data: ServeEvents[K]) => boolean = () => true,
  timeoutMs = 50_000,
): Promise<ServeEvents[K]> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      off();
      reject(new Error(`no fitting '${name}' event within ${timeoutMs} ms`));
    }, timeoutMs);
    const off = serve.on(name, (data) => {
      if (!fits(data)) return;
      clearTimeout(timer);
      off();
      resolve(data);
    });
  });
}

/** Resolves once a deployment has the status; it may have it already. */
export async function status(serve: Serve, app: string, deployment: string, wanted: string): Promise<void> {
  if (serve.status().apps[app]?.deployments[deployment]?.status === wanted) return;
  await event(serve, 'deployment', (data) => data.deployment === deployment && data.status === wanted);
}

/** Resolves when a condition that has no event of its own holds; looked at every few ms, bounded. */
export async function eventually(
  condition: () => boolean | Promise<boolean>,
  timeoutMs = 50_000,
): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`not within ${timeoutMs} ms: ${condition.toString()}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** What comes of work while a manual clock goes on, as far as threads keep up. */
export async function whileTimePasses<T>(clock: ManualClock, work: Promise<T>): Promise<T> {
  let isOver = false;
  const end = (): void => {
    isOver = true;
  };
  work.then(end, end);
  await eventually(async () => {
    await clock.advance(250);
    return isOver;
  });
  return await work;
}
