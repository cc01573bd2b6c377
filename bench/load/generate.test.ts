import { describe, expect, test } from 'vitest';
import { listen } from '../http/listen.ts';
import { generate } from './generate.ts';
import type { Target } from './load.ts';

const MS = 100;

function target(port: number, path: string): Target {
  return { port, method: 'GET', path, bodyBytes: 0, answerBytes: 2 };
}

/** Notes the paths that each connection asks for; `/refused` is answered with 503. */
async function noting() {
  const paths = new Map<number | undefined, string[]>();
  const site = await listen((req, res) => {
    const own = paths.get(req.socket.remotePort) ?? [];
    paths.set(req.socket.remotePort, own);
    own.push(req.url ?? '');
    res.statusCode = req.url === '/refused' ? 503 : 200;
    res.end(req.url === '/refused' ? 'not now' : 'ok');
  });
  return { ...site, paths, [Symbol.asyncDispose]: () => site.close() };
}

describe('generate', () => {
  test('sends the targets in turn on each connection, each beginning with another', async () => {
    await using server = await noting();
    const targets = [target(server.port, '/a'), target(server.port, '/b')] as const;
    const { throughput, refused } = await generate({ targets, connections: 4, ms: MS, rate: 0 });
    expect(throughput).toBeGreaterThan(0);
    expect(refused).toBe(0);
    const asked = [...server.paths.values()];
    expect(asked.map(([first]) => first).sort()).toEqual(['/a', '/a', '/b', '/b']);
    for (const paths of asked) {
      expect(paths.every((path, index) => index === 0 || path !== paths[index - 1])).toBe(true);
    }
  });

  test('counts other answers than 200 where it is told to, and fails where not', async () => {
    await using server = await noting();
    const targets = [target(server.port, '/a'), target(server.port, '/refused')] as const;
    const load = { targets, connections: 2, ms: MS, rate: 0 };
    const { refused, sent } = await generate({ ...load, isTolerant: true });
    expect(refused).toBeGreaterThan(0);
    expect(sent).toBeGreaterThan(0);
    await expect(generate(load)).rejects.toThrow('503');
  });
});
