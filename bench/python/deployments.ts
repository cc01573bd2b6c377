import { deployment, pythonDeployment } from 'inserve';

export interface PythonEcho {
  echo(value: unknown): unknown;
  later(value: unknown): Promise<unknown>;
  pid(): number;
  floats(): number[];
}

export class Echo {
  echo(value: unknown): unknown {
    return value;
  }
}

/** Answers as late as Python does, so that the host is woken up as often. */
export class SlowEcho {
  echo(value: unknown): unknown {
    for (const until = performance.now() + SLOW_MS; performance.now() < until; );
    return value;
  }
}

/** About what a call takes in Python, in ms. */
const SLOW_MS = 0.018;

const LIMITS = { maxOngoingRequests: 64 };

export const python = pythonDeployment<PythonEcho, []>('./echo.py:Echo', LIMITS).bind();
export const javascript = deployment(Echo, { name: 'JavaScriptEcho', ...LIMITS }).bind();
export const slow = deployment(SlowEcho, { name: 'SlowEcho', ...LIMITS }).bind();
