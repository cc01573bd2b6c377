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

const LIMITS = { maxOngoingRequests: 64 };

export const python = pythonDeployment<PythonEcho, []>('./echo.py:Echo', LIMITS).bind();
export const javascript = deployment(Echo, { name: 'JavaScriptEcho', ...LIMITS }).bind();
