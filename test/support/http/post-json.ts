import { type Answer, send } from './client.ts';

/** Posts a value as JSON. */
export function postJson(port: number, path: string, value: unknown): Promise<Answer> {
  const headers = { 'content-type': 'application/json' };
  return send(port, path, { method: 'POST', headers, body: JSON.stringify(value) });
}
