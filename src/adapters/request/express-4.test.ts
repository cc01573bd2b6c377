import type { IncomingMessage } from 'node:http';
import { expect, test } from 'vitest';
import { hostView } from '../websocket/host-view.ts';
import { hostOf } from './request-head.ts';

/** The requests of Express 4. Its `host` is the name alone, and prints a warning. */
const request = {
  app: { lazyrouter: () => {} },
  headers: {} as Record<string, string>,
  connection: undefined as { readonly remoteAddress: string } | undefined,
  get host(): string {
    throw new Error('express deprecated req.host: Use req.hostname instead');
  },
  get hostname(): string | undefined {
    return (this.headers['x-forwarded-host'] ?? this.headers['host'])?.replace(/:\d+$/, '');
  },
  get ip(): string | undefined {
    return this.connection?.remoteAddress;
  },
};

const with4 = (headers: Record<string, string>) => Object.create(request, { headers: { value: headers } });

test('the host of Express 4 keeps its port, unless a proxy names another one', () => {
  const host = 'inner.example:3000';
  expect(hostOf(host, with4({ host }))).toBe(host);
  expect(hostOf('[::1]:3000', with4({ host: '[::1]:3000' }))).toBe('[::1]:3000');
  expect(hostOf(host, with4({ host, 'x-forwarded-host': 'public.example' }))).toBe('public.example');
  expect(hostOf(host, with4({ host, 'x-forwarded-host': 'inner' }))).toBe('inner');
});

test('an upgrade under Express 4 has the host and the address of the client', () => {
  const app = Object.assign(() => {}, { settings: { 'trust proxy fn': () => false }, request });
  const req = { headers: { host: 'inner.example:3000' }, socket: { remoteAddress: '192.0.2.1' } };
  expect(hostView([app], req as unknown as IncomingMessage)).toMatchObject({
    host: 'inner.example:3000',
    ip: '192.0.2.1',
  });
});
