import { createServe } from 'inserve';
import { EchoDeployment } from './deployments.ts';
import type { Session } from './session.ts';

/** Calls that are under way when a process is killed. */
const UNDER_WAY = 4;

/** Against the package by its name, so that what is built and shipped is measured. */
export async function inserve(isolation: 'thread' | 'process'): Promise<Session> {
  const serve = createServe({ logger: SILENT });
  const app = EchoDeployment.options({ isolation });
  const handle = await serve.run(app.bind());
  let deaths = 0;
  const death = async (): Promise<number> => {
    const name = `death-${deaths++}`;
    const mortal = await serve.run(app.bind(), { name, routePrefix: null });
    const pid = await mortal.pid.remote();
    const calls = Array.from({ length: UNDER_WAY }, () => mortal.hang.remote().catch(() => {}));
    // Sent after the others: they have begun when it is answered.
    await mortal.pid.remote();
    const killedAt = performance.now();
    process.kill(pid, 'SIGKILL');
    await Promise.all(calls);
    const seenMs = performance.now() - killedAt;
    await serve.delete(name);
    return seenMs;
  };
  return {
    echo: (payload) => handle.echo.remote(payload),
    ...(isolation === 'process' && { death }),
    close: () => serve.close(),
  };
}

/** The deaths are meant. */
const SILENT = { debug() {}, info() {}, warn() {}, error() {} };
